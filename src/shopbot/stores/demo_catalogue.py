"""The demo shop's product types: name, base price, options. Made up for this project; no brands."""

from __future__ import annotations

_COLORS = "black, white, blue, red, green, gray"
_SIZES = "XS, S, M, L, XL"
_SHOES = "6, 7, 8, 9, 10, 11, 12"

#: name | price in the middle | option: values; option: values
_LINES = f"""
T-Shirt | 19 | color: {_COLORS}; size: {_SIZES}; neck: crew, v-neck
Hoodie | 45 | color: black, gray, navy, olive; size: {_SIZES}; zip: yes, no
Rain Jacket | 89 | color: yellow, navy, red; size: {_SIZES}; lining: none, fleece
Jeans | 59 | color: blue, black, gray; waist: 30, 32, 34, 36; fit: slim, straight, relaxed
Wool Sweater | 69 | color: cream, gray, burgundy; size: {_SIZES}
Hiking Boots | 129 | color: brown, gray, black; size: {_SHOES}; waterproof: yes, no
Running Shoes | 99 | color: white, blue, black, orange; size: {_SHOES}
Sandals | 39 | color: tan, black; size: {_SHOES}
Winter Gloves | 25 | color: black, red, gray; size: S, M, L; touchscreen: yes, no
Baseball Cap | 18 | color: {_COLORS}; closure: snap, buckle
Leather Belt | 35 | color: brown, black; length: 85 cm, 95 cm, 105 cm
Umbrella | 22 | color: black, navy, red; type: folding, stick
Backpack | 75 | color: black, green, gray; capacity: 20 L, 30 L, 40 L; laptop sleeve: yes, no
Suitcase | 139 | color: black, silver, blue; size: cabin, medium, large; shell: hard, soft
Wallet | 32 | color: brown, black; coin pocket: yes, no
Sunglasses | 55 | frame color: black, brown, gold; lens color: gray, green, blue; polarized: yes, no
Wristwatch | 149 | strap: leather, steel, silicone; dial color: white, black, blue
Desk Lamp | 42 | color: black, white, blue; power: USB, battery, mains; brightness: low, medium, high
Floor Lamp | 79 | color: black, brass; shade: linen, metal; height: 140 cm, 160 cm
Table Clock | 28 | color: white, wood, black; display: analog, digital
Wall Mirror | 65 | shape: round, square, oval; frame: oak, black, gold
Throw Pillow | 17 | color: mustard, teal, gray, rose; size: 40 cm, 50 cm
Blanket | 38 | color: cream, gray, green; material: cotton, wool, fleece
Bed Sheet Set | 49 | color: white, blue, gray; size: twin, queen, king
Bath Towel | 15 | color: white, teal, gray, sand; size: hand, bath, beach
Rug | 120 | color: gray, blue, beige; size: small, medium, large; material: wool, jute
Bookshelf | 145 | color: oak, white, black; height: 4 ft, 5 ft, 6 ft
Office Chair | 189 | color: black, gray, blue; armrest: none, fixed, adjustable; material: mesh, leather
Standing Desk | 349 | top: oak, white, walnut; width: 120 cm, 140 cm, 160 cm; motor: single, dual
Storage Box | 14 | color: gray, white, clear; capacity: 10 L, 25 L, 50 L
Coffee Maker | 79 | color: black, steel; capacity: 4 cups, 8 cups, 12 cups; timer: yes, no
Espresso Machine | 249 | color: black, steel, red; pressure: 9 bar, 15 bar; milk frother: yes, no
Electric Kettle | 39 | color: black, steel, white; capacity: 1 L, 1.7 L; material: glass, steel
Tea Pot | 27 | color: white, blue, green; capacity: 0.5 L, 1 L; material: ceramic, glass, cast iron
Water Bottle | 21 | color: {_COLORS}; capacity: 500 ml, 750 ml, 1000 ml; material: steel, plastic, glass
Travel Mug | 24 | color: black, white, teal; capacity: 300 ml, 450 ml
Frying Pan | 45 | size: 20 cm, 24 cm, 28 cm; coating: ceramic, steel, non-stick
Knife Set | 85 | pieces: 3, 5, 8; block: none, wood, magnetic
Blender | 69 | color: black, white, red; power: 500 W, 800 W, 1200 W
Toaster | 35 | color: black, steel, cream; slots: 2, 4
Cutting Board | 23 | material: bamboo, oak, plastic; size: small, medium, large
Lunch Box | 16 | color: blue, green, pink; compartments: 1, 2, 3
Headphones | 119 | color: black, white, blue; type: on-ear, over-ear; connection: wired, wireless
Wireless Earbuds | 89 | color: black, white, green; battery life: 5 hours, 8 hours; noise cancelling: yes, no
Bluetooth Speaker | 65 | color: black, red, blue, green; battery life: 10 hours, 20 hours; waterproof: yes, no
Keyboard | 79 | switches: linear, tactile, clicky; backlight: none, white, RGB; size: compact, full size
Gaming Mouse | 49 | color: black, white; connection: wired, wireless; buttons: 6, 8, 12
Laptop Stand | 34 | color: silver, black; height: fixed, adjustable
Phone Case | 19 | color: clear, black, red, navy; model: 13, 14, 15
Power Bank | 36 | color: black, white; capacity: 5000 mAh, 10000 mAh, 20000 mAh
USB Cable | 9 | length: 0.5 m, 1 m, 2 m; color: black, white
Webcam | 59 | resolution: 720p, 1080p, 4K; microphone: yes, no
Tablet | 299 | color: silver, black, gold; storage: 64 GB, 128 GB, 256 GB; screen size: 8 inch, 10 inch
E-Reader | 129 | color: black, white; storage: 8 GB, 32 GB; light: yes, no
Smart Watch | 179 | color: black, silver, gold; band: silicone, leather, metal; screen size: 1.3 inch, 1.6 inch
Digital Camera | 449 | color: black, silver; resolution: 20 MP, 24 MP, 30 MP; zoom: 3x, 5x, 10x
Air Purifier | 159 | room size: small, medium, large; filter: HEPA, carbon
Vacuum Cleaner | 199 | type: upright, canister, robot; bag: yes, no
Yoga Mat | 29 | color: purple, blue, green, black; thickness: 4 mm, 6 mm, 8 mm
Dumbbell Set | 95 | weight: 5 kg, 10 kg, 20 kg; material: iron, rubber
Bicycle Helmet | 55 | color: white, black, red; size: S, M, L; light: yes, no
Tent | 179 | color: green, orange; persons: 2, 3, 4
Sleeping Bag | 85 | color: blue, green; season: summer, winter; length: regular, long
Skateboard | 69 | deck: maple, bamboo, plastic; length: 28 inch, 31 inch, 34 inch; design: plain, graphic
Garden Hose | 33 | length: 15 m, 25 m, 50 m; color: green, yellow
Watering Can | 18 | color: green, zinc, blue; capacity: 5 L, 10 L
Plant Pot | 16 | color: terracotta, white, gray; size: small, medium, large
Grill | 219 | type: charcoal, gas, electric; size: portable, medium, large
Jigsaw Puzzle | 20 | pieces: 500, 1000, 1500; theme: animals, art, landscape
Board Game | 35 | difficulty: easy, medium, hard; players: 2, 4, 6
Building Blocks | 40 | pieces: 100, 250, 500; theme: city, space, castle
Plush Bear | 22 | color: brown, white; size: small, medium, large
Notebook | 8 | color: black, blue, red; size: A5, A4; paper: plain, lined, dotted
Fountain Pen | 45 | color: black, blue, steel; nib: fine, medium, broad
Pet Bed | 49 | size: small, medium, large; color: gray, beige, brown
"""


def product_types() -> list[tuple[str, int, dict[str, list[str]]]]:
    """(name, price in the middle of the range, option → values) of every product type."""
    found = []
    for line in _LINES.strip().splitlines():
        name, price, options = (part.strip() for part in line.split("|"))
        pairs = (option.split(":") for option in options.split(";"))
        values = {key.strip(): [value.strip() for value in listed.split(",")] for key, listed in pairs}
        found.append((name, int(price), values))
    return found


FIRST_NAMES = """
Ada Amara Anders Anjali Beatriz Ben Bilal Carmen Chen Chidi Clara Daniel Diego Elif Elena Emeka Emma Farah Felix
Fatima Grace Hana Hassan Helena Hugo Ingrid Isabel Ivan Jamal Jana Joao Kai Karin Kenji Lars Leila Liam Lucia Mateo
Maya Mei Mila Noah Nadia Nils Olga Omar Paula Pedro Priya Quinn Rafael Rosa Ravi Sara Sofia Stefan Tomas Tara Uma
Viktor Wanda Yara Yusuf Zoe
""".split()

LAST_NAMES = """
Abara Acosta Andersen Baker Bauer Becker Bianchi Brooks Castillo Chang Costa Dubois Eriksen Farouk Fischer Garcia
Haddad Hansen Hughes Ibrahim Ito Jansen Kaya Keller Khan Kowalski Kumar Lambert Larsen Lopez Mancini Marques Mensah
Meyer Moreau Mwangi Nakamura Nguyen Novak Okafor Olsen Ortiz Patel Petrov Quist Rahman Reyes Rossi Santos Sato Schmidt
Silva Singh Sorensen Tanaka Torres Ueda Varga Vega Weber Williams Yilmaz Young Zhang
""".split()

STREETS = (
    """
Maple Street|Oak Avenue|Cedar Lane|Elm Street|Lake View Drive|Hill Road|Station Road|Mill Lane|Park Avenue|River Street
Sunset Boulevard|Chestnut Street|Willow Way|Garden Street|Harbor Drive|Meadow Lane|Church Street|Spring Road
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

#: city, state, first digits of its postcodes, country
CITIES = (
    ("Boston", "MA", "021", "USA"), ("New York", "NY", "100", "USA"), ("Chicago", "IL", "606", "USA"),
    ("Denver", "CO", "802", "USA"), ("Seattle", "WA", "981", "USA"), ("Austin", "TX", "787", "USA"),
    ("Portland", "OR", "972", "USA"), ("Atlanta", "GA", "303", "USA"), ("Phoenix", "AZ", "850", "USA"),
    ("San Diego", "CA", "921", "USA"), ("Columbus", "OH", "432", "USA"), ("Nashville", "TN", "372", "USA"),
    ("Madison", "WI", "537", "USA"), ("Tampa", "FL", "336", "USA"), ("Toronto", "ON", "M5V 2", "Canada"),
    ("Berlin", "", "101", "Germany"), ("Vienna", "", "10", "Austria"), ("Dublin", "", "D02 X", "Ireland"),
)  # fmt: skip
