"""The words behind the pools of the seed set, each list split at semicolons. Brands and streets are made up."""

SINGULAR = """
lamp; desk lamp; floor lamp; table lamp; kettle; electric kettle; toaster; blender; hand mixer; air fryer; rice cooker; slow cooker; coffee maker;
espresso machine; french press; coffee grinder; waffle iron; microwave; mini fridge; dishwasher; vacuum cleaner; robot vacuum; handheld vacuum;
steam mop; iron; ironing board; humidifier; dehumidifier; air purifier; fan; space heater; heating pad; electric blanket; smart plug; smart bulb;
smart thermostat; doorbell camera; security camera; baby monitor; router; mesh router; modem; external hard drive; usb stick; memory card; laptop;
laptop sleeve; laptop stand; tablet; tablet case; e-reader; keyboard; mechanical keyboard; gaming mouse; wireless mouse; mouse pad; webcam; monitor;
monitor arm; docking station; usb hub; printer; scanner; shredder; projector; projector screen; tv; soundbar; bluetooth speaker; record player;
turntable; radio; alarm clock; wall clock; smartwatch; fitness tracker; watch; phone; phone case; phone charger; power bank; charging cable;
hdmi cable; usb-c adapter; wireless charger; car charger; dash cam; action camera; digital camera; camera bag; tripod; ring light; lens; drone;
game console; controller; gaming chair; office chair; standing desk; desk; bookshelf; bookcase; coffee table; dining table; side table; nightstand;
bed frame; mattress; mattress topper; pillow; body pillow; duvet; duvet cover; weighted blanket; throw blanket; fitted sheet; sheet set; curtain rod;
rug; doormat; mirror; picture frame; vase; candle; scented candle; plant pot; watering can; garden hose; lawn mower; hedge trimmer; leaf blower;
wheelbarrow; shovel; rake; greenhouse; bird feeder; parasol; hammock; deck chair; grill; charcoal grill; fire pit; cooler; picnic basket; tent;
sleeping bag; camping stove; air mattress; headlamp; flashlight; lantern; backpack; hiking backpack; daypack; suitcase; carry-on; duffel bag;
toiletry bag; neck pillow; passport holder; wallet; purse; handbag; tote bag; belt; scarf; beanie; cap; sun hat; tie; bow tie; t-shirt; shirt; polo;
blouse; sweater; hoodie; cardigan; jacket; rain jacket; down jacket; denim jacket; winter coat; trench coat; blazer; suit; dress; maxi dress;
skirt; jumpsuit; swimsuit; bikini; bathrobe; nightgown; onesie; bra; sports bra; raincoat; umbrella; ring; necklace; bracelet; pendant; brooch; yoga mat;
foam roller; jump rope; kettlebell; dumbbell set; weight bench; pull-up bar; exercise bike; treadmill; rowing machine; punching bag; tennis racket;
badminton set; football; basketball; volleyball; skateboard; scooter; electric scooter; bike; mountain bike; kids bike; bike helmet; bike lock;
bike pump; water bottle; thermos; travel mug; mug; teapot; teacup; plate set; dinner set; cutlery set; knife set; chef knife; cutting board; frying pan;
wok; saucepan; stock pot; casserole dish; baking tray; cake tin; mixing bowl; measuring cup; rolling pin; salad bowl; wine glass; decanter; corkscrew;
bottle opener; spice rack; bread box; trash can; laundry basket; clothes rack; shoe rack; storage box; tool box; drill; cordless drill; hammer;
screwdriver set; wrench; tape measure; ladder; paint roller; jigsaw; angle grinder; sander; glue gun; extension cord; jigsaw puzzle; board game;
card game; chess set; teddy bear; doll; dollhouse; toy car; train set; building set; playpen; stroller; car seat; crib; high chair; diaper bag; potty;
baby carrier; nursing pillow; night light; notebook; fountain pen; pencil case; desk organizer; calendar; planner; cookbook; novel; paperback; comic;
guitar; ukulele; electric guitar; amplifier; drum kit; keyboard stand; microphone; metronome; violin; harmonica; shampoo; conditioner; face cream;
sunscreen; perfume; cologne; lipstick; mascara; foundation; nail polish; hair dryer; hair straightener; curling iron; electric shaver; trimmer;
electric toothbrush; bathroom scale; kitchen scale; first aid kit; dog bed; dog leash; dog crate; cat tree; litter box; scratching post; aquarium;
fish tank; hamster cage; bird cage; pet carrier; cat carrier; grooming brush; sewing machine; knitting set; easel; paint set; sketchbook; gift card;
gift box; christmas tree; advent calendar; costume; wig; subscription box; phone holder; car vacuum; roof box; snow shovel; sled; ski jacket; ski helmet;
wetsuit; snorkel set; fishing rod; kayak; paddle board; life jacket; compass; binoculars case; telescope; microscope; globe; whiteboard; filing cabinet
"""

PLURAL = """
headphones; wireless earbuds; earbuds; noise cancelling headphones; hiking boots; rain boots; ankle boots; sneakers; running shoes; sandals; flip flops;
slippers; high heels; loafers; football boots; ski boots; dress shoes; work boots; jeans; trousers; leggings; shorts; swim shorts; sweatpants; chinos;
tights; socks; wool socks; gloves; mittens; ski gloves; boxing gloves; gardening gloves; pyjamas; boxers; sunglasses; reading glasses; ski goggles;
binoculars; earrings; cufflinks; bed sheets; towels; bath towels; curtains; blinds; cushions; cushion covers; placemats; napkins; wine glasses; mugs;
plates; bowls; steak knives; chopsticks; baking molds; candles; string lights; fairy lights; light bulbs; led strips; batteries; rechargeable batteries;
charging cables; screen protectors; ink cartridges; pens; markers; crayons; colored pencils; sticky notes; envelopes; notebooks; dumbbells;
resistance bands; tennis balls; golf clubs; golf balls; shin guards; knee pads; roller skates; ice skates; skis; ski poles; trekking poles; tent pegs;
diapers; baby wipes; bibs; baby bottles; building blocks; toy trains; dog treats; cat toys; chew toys; speakers; bookshelf speakers; studio monitors;
drumsticks; guitar strings; screws; wall hooks; drill bits; shelves; bar stools; dining chairs; garden chairs; plant pots; seeds; tulip bulbs; tea bags;
coffee beans; protein bars; vitamins; nail clippers; hair ties; false lashes; face masks; razor blades; running socks; compression sleeves; sleds
"""

ADJECTIVES = """
small; large; big; new; old; second; tiny; cheap; expensive; portable; foldable; waterproof; wireless; cordless; wooden; leather; vintage; retro;
modern; kids; children's; men's; women's; mens; ladies; girls; boys; outdoor; indoor; electric; digital; smart; heavy; lightweight; extra large; mini;
compact; deluxe; professional; 2-pack; 3-piece; two-tone; striped; checked; floral; long-sleeved; short sleeve; slim fit; oversized; broken; damaged;
faulty; wrong; 15-inch; 27 inch; king size; queen; double; single; 1.5 litre; 500-piece; 64gb; 1TB; ergonomic; adjustable; handmade; organic; vegan;
scratched; leaking; limited edition; refurbished; noise-cancelling; rechargeable; stainless; non-stick; quilted; padded; insulated; hooded; round; square
"""

BRANDS = """
Nordvik; Halden; Pellucid; Orbitron; Kestrel; Zephyra; Tamoro; Brightwell; Oakmere; Lumo; Veltra; Solenne; Maruko; Arvika; Quillon; Fenwick & Co; Dorado;
Hikari; Stonebrook; Aurelio; Polarn; Nimbus X2; Vanta Pro; TrekLite 40; AeroFlex; SoundPeak; PixelPad; Cuisto; BaristaOne; CleanBot S5; Moondrift;
GrizzlyGear; UrbanLoop; Little Fox; Casa Verde; Tundra; ProVolt; Everdale; Iskra; Monsoon 3; Ridgeline; Kobalt; Sorrel; Bellamy; Hoshi; Zenko; Rivella
"""

COLOURS = """
black; white; red; blue; green; yellow; orange; purple; pink; brown; grey; gray; beige; navy; navy blue; dark blue; light blue; sky blue; royal blue;
teal; turquoise; mint; mint green; olive; khaki; forest green; lime; burgundy; maroon; crimson; coral; salmon; peach; lavender; lilac; violet; magenta;
ivory; cream; tan; camel; charcoal; anthracite; silver; gold; rose gold; bronze; copper; mustard; rust; aqua; multicolor; matte black; off-white; dark green
"""

MATERIALS = """
leather; faux leather; suede; cotton; organic cotton; linen; wool; merino; cashmere; silk; satin; polyester; fleece; denim; velvet; canvas; nylon; mesh;
wood; oak; walnut; pine; bamboo; metal; steel; stainless steel; aluminium; brass; glass; ceramic; porcelain; marble; plastic; silicone; rubber; latex;
memory foam; cast iron; titanium; sterling silver; acrylic; polycarbonate; rattan; cork; paper; concrete; terracotta
"""

SIZES = """
size 6; size 7; size 8; size 9; size 10; size 11; size 12; size 38; size 39; size 40; size 41; size 42; size 43; size 44; size S; size M; size L; size XL;
size XXL; a medium; a large; a small; an XL; XS; XXL; small; medium; large; extra large; one size up; one size bigger; a size smaller; a size down; a half size bigger;
size 7.5; size 8.5; size 9.5; UK 6; UK 12; EU 42; US 8; 32/34; 34 waist; 36B; 12-18 months; age 7-8; 140x200; 90x200; king; queen; twin; single; double;
13 inch; 15 inch; 17-inch; 24 inch; 27 inch; 500ml; 750 ml; 1000ml; 1L; 1.5 litres; 2 m; 3 metres; 6ft; 10 feet; 250g; 1kg; 2kg; 500 pieces; 1000 pieces
"""

FEATURES = """
with 8GB RAM; with 16GB; with 32GB; with 512GB SSD; with 1TB; with 128gb; 64GB; 256GB storage; with i5 processor; with an i7; with wifi; without wifi; with bluetooth;
with usb-c; with usb c charging; usb powered; battery powered; solar powered; with a plug for the UK; with an AC adapter; corded; cordless; wired; wireless;
with backlight; with RGB lights; without backlight; with brown switches; with red switches; with linear switches; silent switches; full size; 80%; tenkeyless;
with a remote; with touchscreen; with pen; with stylus; with keyboard; with numeric keypad; with a lid; with a handle; with wheels; without wheels; with armrests;
without armrests; with headrest; with pockets; with hood; without hood; with zip; with buttons; with long sleeves; short-sleeved; v-neck; crew neck; high neck;
with memory foam; firm; soft; extra firm; medium firm; waterproof; water resistant; not waterproof; windproof; insulated; with mesh back; breathable; slim fit; regular fit;
relaxed fit; loose fit; with stripes; plain; no print; without logo; floral pattern; checked; with noise cancelling; without noise cancelling; over-ear; in-ear; on-ear;
with microphone; with 4K; in 4K; full hd; 60Hz; 144Hz; with HDR; with app control; works with smart home; low brightness; high brightness; dimmable; warm white; cool white;
with timer; with auto shutoff; with 2-year warranty; for beginners; for kids; for adults; for left-handers; intermediate level; expert level; animal theme; fantasy theme;
art theme; with dishwasher-safe parts; induction compatible; non-stick; 4-piece; 6 pieces; 12 pack; pack of 3; twin pack; family size; travel size; refillable; unscented;
vanilla; lemon; lavender scented; decaf; whole bean; ground; sugar free; gluten free; bigger; smaller; longer; shorter; lighter; heavier; cheaper; less expensive; more powerful;
newer; the newest version; quieter; hard shell; soft shell; with laptop compartment; 35L; 20 litre; with lock; with combination lock; with GPS; without gps; with heart rate; ip67
"""

ORDER_REFS = """
my last order; my latest order; my most recent order; the last order; my previous order; my first order; my second order; my order from yesterday;
the order from yesterday; yesterday's order; the order I placed yesterday; the order i made this morning; this morning's order; the one from this morning;
the order from last week; last week's order; the order I placed last week; my order from monday; Monday's order; the order of last friday; the order from tuesday night;
my order from two weeks ago; the order I made 3 days ago; the order from last month; my october order; my December order; the order from the 3rd; the one I placed on the 14th;
my order of 12 March; the order from 05/11; the black friday order; my christmas order; the birthday order; the order for my mum; the gift order; my big order; the small order;
the larger order; the expensive order; my oldest order; the older one; the newer one; the newest one; the first one; the second one; the third one; the last one; the other one;
the other order; my other order; both orders; all my orders; all of them; both of them; my pending order; the pending one; the one that hasn't shipped; the unshipped order;
the delivered one; the order that arrived today; the order that came yesterday; the package that arrived on saturday; the parcel I got today; the order with the @;
the one with the @; the @ order; my @ order; the order containing the @; the order with my @ in it; the one where I bought the @; the order that has the @;
that order; this order; that one; this one; the same order; the order above; the one you just showed me; the one on top; number 2; number three; #1; the order I just placed;
the order I just made; my recent purchase; my last purchase; the purchase from sunday; the thing I bought last night; last night's order; my current order; my open order
"""

ADDRESS_REFS = """
my default address; my home address; my work address; my office; my house; my billing address; my new address; my old address; the address on my account;
the address in my profile; the one in my profile; the same address as my other order; the same address as my last order; the address of my other order; the address from my last order;
same address as order before; the address you have on file; the address on file; my usual address; my parents' address; my mum's place; my neighbour's address;
the address of my first order; my profile address; the one I used last time; the address I used last time; where the other package went; my registered address; my workplace
"""

WANT_PHRASES = """
the cheapest one; the cheapest; the cheapest one available; the cheapest available option; the most expensive one; the priciest one; the best one; the biggest one; the largest one;
the smallest one; a bigger one; a smaller one; a cheaper one; a better one; a larger size; a smaller size; one size up; the next size up; a different colour; a different color; another colour;
any other colour; the same one; the same model; the exact same one; the same thing; the same kind; an identical one; a new one; one that works; a working one; a non-broken one;
one without scratches; the newer model; the newest one; the latest version; the older version; the deluxe version; the basic one; the standard one; the pro version; the mini version;
the waterproof one; a waterproof one; the wireless one; a wireless one; the wired version; the one with bluetooth; whatever you have in stock; whichever is available; the one that's in stock;
something cheaper; something bigger; something similar; the other colour; the other one; the large one; the medium one; the small one; the kids version; the men's one; the ladies' version
"""

FIRST_NAMES = """
Emma; Liam; Olivia; Noah; Ava; Lucas; Mia; Ethan; Sofia; Mason; Isabella; James; Harper; Daniel; Chloe; Raj; Priya; Arjun; Ananya; Vikram; Aisha; Omar; Fatima; Yusuf; Leila; Hassan;
Wei; Mei; Jun; Li; Xin; Yuki; Haruto; Sakura; Kenji; Aiko; Minjun; Jiwoo; Seo-yeon; Linh; Thanh; Nguyen; Somchai; Putri; Budi; Ivan; Olga; Dmitri; Svetlana; Pavel; Katarzyna;
Piotr; Agnieszka; Zoltán; Eszter; Jiří; Tereza; Lukas; Anna; Jürgen; Käthe; Matthias; Ingrid; Lars; Astrid; Bjørn; Freja; Sven; Åsa; Mikko; Aino; Pieter; Sanne; Daan; Marie; Jean-Pierre;
Amélie; Chloé; Luc; Hélène; Marco; Giulia; Francesca; Alessandro; José; María; Carlos; Lucía; Javier; Inês; João; Beatriz; Thiago; Camila; Mateo; Valentina; Kwame; Ama; Chinedu; Ngozi; Thabo;
Zanele; Amara; Tunde; Wanjiru; Abebe; Selam; Mohammed; Ahmed; Zeynep; Mehmet; Elif; Ayşe; Nikos; Eleni; Yael; Noa; Eitan; Siobhan; Ciarán; Niamh; Rhys; Cerys; Fiona; Callum; Grace; Henry;
Ruth; Walter; Doris; Frank; Gloria; Kai; Malia; Tane; Aroha; Hemi; Nadia; Boris; Vesna; Goran; Milica; Andrei; Ioana; Teodora; Kiran; Sanjay; Meera; Deepak; Bob; Sue; Jo; Alex; Sam; Robin
"""

LAST_NAMES = """
Smith; Jones; Taylor; Brown; Wilson; Evans; Thomas; Roberts; Walker; Wright; Green; Hall; Clarke; Patel; Shah; Singh; Kaur; Gupta; Sharma; Reddy; Iyer; Khan; Hussain; Ali; Rahman; Haddad; Nasser;
Chen; Wang; Zhang; Liu; Huang; Tanaka; Suzuki; Watanabe; Kobayashi; Kim; Park; Choi; Nguyen; Tran; Pham; Santos; Reyes; Wijaya; Ivanov; Petrova; Sokolov; Kowalski; Nowak; Wiśniewska; Nagy; Szabó;
Novák; Dvořáková; Müller; Schmidt; Weber; Schäfer; Hoffmann; Gruber; Lindqvist; Johansson; Nilsson; Hansen; Sørensen; Virtanen; Korhonen; de Vries; van den Berg; Jansen; Dubois; Lefèvre; Moreau;
Bernard; Rossi; Bianchi; Esposito; Romano; García; Martínez; Fernández; López; Silva; Oliveira; Ferreira; Costa; Mensah; Owusu; Okafor; Adeyemi; Dlamini; Nkosi; Mwangi; Tesfaye; Bekele;
Al-Farsi; El Amrani; Yılmaz; Demir; Papadopoulos; Cohen; Levi; O'Brien; O'Connor; Murphy; Kelly; MacDonald; Campbell; Hughes; Llewellyn; Whitaker; Ashworth; Peterson; Alvarez; Delgado;
Castillo; Herrera; Johnson; Davis; Miller; Moore; Jackson; Harris; Lewis; Young; King; Scott; Kealoha; Parata; Popescu; Ionescu; Petrović; Horvat; Kovač; Bakker; Fischer; Braun; Lang; Winter
"""

MAIL_HOSTS = """
gmail.com; gmail.com; gmail.com; yahoo.com; hotmail.com; outlook.com; icloud.com; aol.com; web.de; gmx.net; orange.fr; libero.it; mail.com; example.com; example.org; proton.me; btinternet.com;
live.co.uk; yahoo.co.uk; googlemail.com; t-online.de; seznam.cz; wp.pl; telenet.be; ziggo.nl; uol.com.br; rediffmail.com; qq.com; naver.com; university.edu; mycompany.io; me.com; fastmail.com
"""

PAYMENTS = """
paypal; PayPal; my paypal; gift card; my gift card; giftcard; a gift card; credit card; my credit card; the credit card; debit card; my debit card; visa; Visa; my visa; the visa card; mastercard;
Mastercard; my mastercard; master card; amex; American Express; the card on file; my other card; the other card; a different card; another card; the other credit card; my original payment method;
the original payment method; original payment method; same card; the same card; the same card I paid with; the card I used before; the card i paid with; my bank card; apple pay; Apple Pay; google pay;
klarna; bank transfer; store credit; the same payment method; my gift card balance; the gift card; my business card; my new card; my wife's card; pay pal; cc; the paypal account; credit
"""

PLACES = """
Canada; Germany; France; Ireland; Spain; Italy; Portugal; Norway; Sweden; Finland; Denmark; Iceland; Poland; Austria; Switzerland; Belgium; the Netherlands; Greece; Turkey; Israel; Japan;
South Korea; Singapore; Australia; New Zealand; Brazil; Mexico; Argentina; Chile; Peru; Colombia; India; Pakistan; Nigeria; Kenya; South Africa; Morocco; Egypt; Dubai; Qatar; Hawaii; Alaska;
Puerto Rico; Guam; Texas; Ohio; California; Florida; Maine; Utah; Vermont; New Jersey; Scotland; Wales; Northern Ireland; Cornwall; the Isle of Man; Jersey; Malta; Cyprus; Estonia; Latvia;
Lithuania; Ukraine; Romania; Bulgaria; Hungary; Croatia; Serbia; Slovenia; London; Manchester; Glasgow; Belfast; Dublin; Cork; Paris; Lyon; Marseille; Berlin; Munich; Hamburg; Cologne; Vienna;
Zurich; Geneva; Milan; Rome; Naples; Madrid; Barcelona; Seville; Lisbon; Porto; Amsterdam; Rotterdam; Brussels; Antwerp; Copenhagen; Aarhus; Oslo; Bergen; Tromsø; Stockholm; Malmö; Helsinki;
Warsaw; Kraków; Prague; Brno; Budapest; Athens; Istanbul; Tel Aviv; Toronto; Montreal; Vancouver; Calgary; New York; Boston; Chicago; Seattle; Denver; Phoenix; Houston; Austin; Dallas; Miami;
Atlanta; Charlotte; San Diego; San Francisco; Los Angeles; Las Vegas; Portland; Nashville; Honolulu; Anchorage; Mumbai; Delhi; Bangalore; Karachi; Lagos; Nairobi; Cape Town; Sydney; Perth;
Melbourne; Auckland; Tokyo; Osaka; Seoul; Hong Kong; Taipei; Manila; Bangkok; Jakarta; Kuala Lumpur; São Paulo; Lima; Bogotá; Buenos Aires; Mexico City; rural Montana; the Orkney Islands;
Sicily; Sardinia; Corsica; Crete; the Canary Islands; Madeira; the Azores; Greenland; the UK; the US; the USA; the EU; Europe; Asia; overseas; abroad; outside the country; Vatican City
"""

US_STREETS = """
Maple Street; Oak Avenue; Cedar Lane; Elm St; Pine Street; 5th Avenue; Main St; Highland Drive; Park Avenue; Sunset Blvd; Lakeview Drive; Washington St; River Road; Willow Court; Birch Rd;
Hillcrest Ave; Spruce Way; Magnolia Blvd; Jefferson Ave; Chestnut Street; Meadow Ln; Forest Dr; Ridge Road; Valley View Rd; Franklin Street; Lincoln Ave; 42nd St; N 3rd Street; E Broadway;
West 12th Street; County Road 9; Old Mill Road; Cherry Tree Lane; Harbor View; Peachtree Rd; Juniper Circle; Orchard Pl; Aspen Trail; Bluebird Lane; Prairie View Dr; S Canal St; Dogwood Ct
"""

US_CITIES = """
New York|NY; Brooklyn|NY; Buffalo|NY; Boston|MA; Worcester|MA; Portland|ME; Newark|NJ; Philadelphia|PA; Pittsburgh|PA; Columbus|OH; Cleveland|OH; Detroit|MI; Chicago|IL; Springfield|IL;
Indianapolis|IN; Milwaukee|WI; Madison|WI; Minneapolis|MN; Des Moines|IA; St. Louis|MO; Omaha|NE; Wichita|KS; Tulsa|OK; Dallas|TX; Houston|TX; Austin|TX; San Antonio|TX; El Paso|TX; Denver|CO; Boulder|CO;
Salt Lake City|UT; Boise|ID; Phoenix|AZ; Tucson|AZ; Albuquerque|NM; Las Vegas|NV; Reno|NV; Seattle|WA; Spokane|WA; Portland|OR; Eugene|OR; Sacramento|CA; San Diego|CA; Fresno|CA; San Jose|CA;
Los Angeles|CA; Oakland|CA; Honolulu|HI; Anchorage|AK; Atlanta|GA; Savannah|GA; Miami|FL; Orlando|FL; Tampa|FL; Charlotte|NC; Raleigh|NC; Charleston|SC; Nashville|TN; Memphis|TN; Louisville|KY;
Birmingham|AL; Jackson|MS; New Orleans|LA; Little Rock|AR; Richmond|VA; Baltimore|MD; Washington|DC; Providence|RI; Hartford|CT; Burlington|VT; Fargo|ND; Billings|MT; Cheyenne|WY
"""

UK_STREETS = """
High Street; Station Road; Church Lane; Victoria Road; Mill Lane; Queen's Road; Kingsway; Park Crescent; Albert Terrace; Manor Close; The Green; Windsor Gardens; Bridge Street; Chapel Hill;
Grange Avenue; Rosemary Lane; York Road; Castle Street; Springfield Road; Orchard Way; Meadow View; Abbey Road; Highfield Drive; Fairview Mews; St Mary's Close; Lower Marsh; Canal Walk
"""

UK_CITIES = """
London; Manchester; Leeds; Bristol; Liverpool; Sheffield; Cardiff; Swansea; Edinburgh; Glasgow; Aberdeen; Dundee; Belfast; Nottingham; Leicester; Norwich; York; Bath; Exeter; Plymouth; Oxford;
Cambridge; Reading; Brighton; Southampton; Portsmouth; Hull; Newcastle; Sunderland; Derby; Stoke-on-Trent; Chester; Preston; Inverness; Truro; Dover; Luton; Ipswich; Wrexham; Bangor
"""

EU_STREETS = """
Hauptstraße; Bahnhofstr.; Lindenallee; Goethestraße; Am Marktplatz; Schillerstr.; Gartenweg; Kirchgasse; Mariahilfer Straße; Rue de la Gare; Rue Victor Hugo; Avenue des Tilleuls; Place du Marché;
Chemin des Vignes; Via Roma; Via Garibaldi; Corso Italia; Piazza San Marco; Calle Mayor; Calle del Sol; Avenida de la Paz; Plaza de España; Rua das Flores; Avenida da Liberdade; Kerkstraat; Dorpsweg;
Prinsengracht; Stationsplein; Storgatan; Kungsgatan; Strandvejen; Nørregade; Kirkeveien; Mannerheimintie; ul. Długa; ul. Kościuszki; Vodičkova; Fő utca; Strada Lungă; Ilica
"""

EU_CITIES = """
Berlin|Germany; Hamburg|Germany; München|Germany; Köln|Germany; Leipzig|Germany; Freiburg|Germany; Wien|Austria; Graz|Austria; Zürich|Switzerland; Bern|Switzerland; Paris|France; Lyon|France; Nantes|France;
Strasbourg|France; Bruxelles|Belgium; Gent|Belgium; Amsterdam|Netherlands; Utrecht|Netherlands; Luxembourg|Luxembourg; Roma|Italy; Torino|Italy; Bologna|Italy; Madrid|Spain; Valencia|Spain; Sevilla|Spain;
Lisboa|Portugal; Porto|Portugal; Stockholm|Sweden; Göteborg|Sweden; København|Denmark; Odense|Denmark; Oslo|Norway; Bergen|Norway; Helsinki|Finland; Warszawa|Poland; Gdańsk|Poland; Praha|Czechia; Budapest|Hungary
"""
