"""Postal addresses as customers write them, and those they refer to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.evals import demo_stores
from shopbot.postcodes import COUNTRIES
from shopbot.references import Choose, Found, Unknown, parse_address, resolve_address
from shopbot.store import Address

SALEM = Address("9 Oak Road", "", "Salem", "OR", "97301", "USA")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("9 Oak Road, Salem, OR 97301", SALEM),
        ("9 Oak Road, Salem, OR, 97301, USA", SALEM),
        ("9 Oak Road, Salem, Oregon 97301", SALEM),
        ("9 Oak Road, Salem OR 97301", SALEM),
        ("9 Oak Road, salem, 97301", SALEM),
        ("9 Oak Road\nSalem, OR 97301\nUnited States", SALEM),
        ("please to 9 Oak Road; Salem; OR; zip 97301", SALEM),
        ("9 Oak Road, Apt 4, Salem, OR 97301", Address("9 Oak Road", "Apt 4", "Salem", "OR", "97301", "USA")),
        ("9 Oak Road Suite 210, Salem, OR 97301", Address("9 Oak Road", "Suite 210", "Salem", "OR", "97301", "USA")),
        (
            "1 King Street, London, SW1A 1AA, UK",
            Address("1 King Street", "", "London", "", "SW1A 1AA", "United Kingdom"),
        ),
        ("Hauptstr. 5, Berlin, 10115, Germany", Address("Hauptstr. 5", "", "Berlin", "", "10115", "Germany")),
        (
            "{'address1': '9 Oak Road', 'address2': 'Apt 4', 'city': 'Salem', 'state': 'OR', 'zip': '97301'}",
            Address("9 Oak Road", "Apt 4", "Salem", "OR", "97301", "USA"),
        ),
        ('street: "9 Oak Road", city: "Salem", state: "oregon", postcode: "97301", country: "USA"', SALEM),
    ],
)
def test_an_address_is_read(words: str, expected: Address) -> None:
    assert parse_address(words) == expected


#: What a customer writes; line1, line2, city, state, postcode and country of it, parted by "|".
ABROAD = (
    ("90 King Street West, Toronto, Ontario M5H 1J8, Canada", "90 King Street West||Toronto|ON|M5H 1J8|Canada"),
    ("90 king street, toronto, on, m5h1j8, canada", "90 king street||Toronto|ON|M5H1J8|Canada"),
    ("90 King Street, Toronto, ON, Canada, M5H 1J8", "90 King Street||Toronto|ON|M5H 1J8|Canada"),
    ("3 Rue Nicholas, Quebec G1R 2L3, Canada", "3 Rue Nicholas||Quebec||G1R 2L3|Canada"),
    ("Calle Durango 44, 06700 Mexico City, Mexico", "Calle Durango 44||Mexico City||06700|Mexico"),
    ("calle durango 44 06700 mexico city mexico", "calle durango 44||Mexico City||06700|Mexico"),
    (
        "Calle Durango 44, Col. Roma, 06700 Ciudad de México, CDMX, México",
        "Calle Durango 44|Col. Roma|Ciudad de México|CDMX|06700|Mexico",
    ),
    ("1 King Street, London SW1A 1AA, England", "1 King Street||London||SW1A 1AA|United Kingdom"),
    ("1 king street london sw1a1aa united kingdom", "1 king street||London||SW1A1AA|United Kingdom"),
    ("1 Bank Road, Belfast, Northern Ireland, BT1 1AA", "1 Bank Road||Belfast||BT1 1AA|United Kingdom"),
    (
        "Flat 3, 12 King Street, Camden, London, NW1 0AA, UK",
        "12 King Street|Flat 3, Camden|London||NW1 0AA|United Kingdom",
    ),
    ("12 Abbey Street, Dublin, D01 X285, Ireland", "12 Abbey Street||Dublin||D01 X285|Ireland"),
    ("12 abbey street dublin d01x285 ireland", "12 abbey street||Dublin||D01X285|Ireland"),
    ("4 Main Street, Naas, Co. Kildare, W91 AD12, Ireland", "4 Main Street||Naas|Co. Kildare|W91 AD12|Ireland"),
    ("Hauptstr. 5, 10115 Berlin, Germany", "Hauptstr. 5||Berlin||10115|Germany"),
    ("hauptstraße 5 10115 berlin deutschland", "hauptstraße 5||Berlin||10115|Germany"),
    ("10 rue de Rivoli, 75001 Paris, France", "10 rue de Rivoli||Paris||75001|France"),
    ("10 rue de rivoli 75001 paris france", "10 rue de rivoli||Paris||75001|France"),
    ("12 Rue Ste Catherine, Bordeaux 33000, France please", "12 Rue Ste Catherine||Bordeaux||33000|France"),
    ("5 Rue Neuve, Paris 75001, France please change it", "5 Rue Neuve||Paris||75001|France"),
    ("Calle Mayor 8, 28013 Madrid, Spain", "Calle Mayor 8||Madrid||28013|Spain"),
    ("calle mayor 8, 28013 madrid, españa", "calle mayor 8||Madrid||28013|Spain"),
    ("Rua Augusta 10, 1100-053 Lisbon, Portugal", "Rua Augusta 10||Lisbon||1100-053|Portugal"),
    ("rua augusta 10 1100053 lisbon portugal", "rua augusta 10||Lisbon||1100053|Portugal"),
    ("Via Roma 10, 00184 Roma RM, Italy", "Via Roma 10||Roma|RM|00184|Italy"),
    ("via roma 10 00184 rome italy", "via roma 10||Rome||00184|Italy"),
    ("Mariahilfer Strasse 88, 1070 Vienna, Austria", "Mariahilfer Strasse 88||Vienna||1070|Austria"),
    ("mariahilfer strasse 88 1070 vienna österreich", "mariahilfer strasse 88||Vienna||1070|Austria"),
    ("Rue de la Loi 16, B-1000 Bruxelles, Belgique", "Rue de la Loi 16||Bruxelles||1000|Belgium"),
    ("rue neuve 12, 1000 brussels, belgium", "rue neuve 12||Brussels||1000|Belgium"),
    ("Damrak 1, 1012 LG Amsterdam, Netherlands", "Damrak 1||Amsterdam||1012 LG|Netherlands"),
    ("damrak 1 1012lg amsterdam the netherlands", "damrak 1||Amsterdam||1012LG|Netherlands"),
    ("5 Grand Rue, L-1661 Luxembourg, Luxembourg", "5 Grand Rue||Luxembourg||1661|Luxembourg"),
    ("5 grand rue, 1661 esch, luxembourg", "5 grand rue||Esch||1661|Luxembourg"),
    ("Bahnhofstrasse 3, 8001 Zürich, Switzerland", "Bahnhofstrasse 3||Zürich||8001|Switzerland"),
    ("bahnhofstrasse 3 8001 zürich schweiz", "bahnhofstrasse 3||Zürich||8001|Switzerland"),
    ("Vestergade 4, 2. tv, 1456 København K, Denmark", "Vestergade 4|2. tv|København K||1456|Denmark"),
    ("vestergade 4 1456 copenhagen denmark", "vestergade 4||Copenhagen||1456|Denmark"),
    ("Storgatan 1, 111 51 Stockholm, Sweden", "Storgatan 1||Stockholm||111 51|Sweden"),
    ("Storgatan 1, Stockholm, Sweden, SE-11151", "Storgatan 1||Stockholm||11151|Sweden"),
    ("storgatan 1 111 51 stockholm sverige", "storgatan 1||Stockholm||111 51|Sweden"),
    ("Storgata 5, 0155 Oslo, Norway", "Storgata 5||Oslo||0155|Norway"),
    ("Storgata 5, 0155, Oslo, Norway", "Storgata 5||Oslo||0155|Norway"),
    ("storgata 5 0155 oslo norway", "storgata 5||Oslo||0155|Norway"),
    ("Mannerheimintie 5, 00100 Helsinki, Finland", "Mannerheimintie 5||Helsinki||00100|Finland"),
    ("mannerheimintie 5\nFI-00100 helsinki\nfinland", "mannerheimintie 5||Helsinki||00100|Finland"),
    ("ul. Prosta 20, 00-850 Warsaw, Poland", "ul. Prosta 20||Warsaw||00-850|Poland"),
    ("ul. prosta 20 00-850 warsaw poland", "ul. prosta 20||Warsaw||00-850|Poland"),
    ("Vodičkova 12, 110 00 Praha 1, Czech Republic", "Vodičkova 12||Praha 1||110 00|Czech Republic"),
    ("vodickova 12, 11000 prague, czechia", "vodickova 12||Prague||11000|Czech Republic"),
    ("Nádor utca 7, 1051 Budapest, Hungary", "Nádor utca 7||Budapest||1051|Hungary"),
    ("1051 budapest, nádor utca 7, hungary", "nádor utca 7||Budapest||1051|Hungary"),
    ("Ermou 10, 105 63 Athens, Greece", "Ermou 10||Athens||105 63|Greece"),
    ("ermou 10 10563 athens greece", "ermou 10||Athens||10563|Greece"),
    ("10 George Street, Sydney NSW 2000, Australia", "10 George Street||Sydney|NSW|2000|Australia"),
    ("10 george street sydney nsw 2000 australia", "10 george street||Sydney|NSW|2000|Australia"),
    (
        "Unit 4, 350 Flinders Street, Melbourne, Victoria 3000, Australia",
        "350 Flinders Street|Unit 4|Melbourne|VIC|3000|Australia",
    ),
    ("8 Queen Street, Auckland 1010, New Zealand", "8 Queen Street||Auckland||1010|New Zealand"),
    ("8 queen street auckland 1010 new zealand", "8 queen street||Auckland||1010|New Zealand"),
    ("1-2-3 Shibuya, Shibuya-ku, Tokyo 150-0002, Japan", "1-2-3 Shibuya|Shibuya-ku|Tokyo||150-0002|Japan"),
    ("2-1 dogenzaka, tokyo, 1500043, japan", "2-1 dogenzaka||Tokyo||1500043|Japan"),
)


@pytest.mark.parametrize(("words", "expected"), ABROAD)
def test_an_address_abroad_is_read_by_its_countrys_forms(words: str, expected: str) -> None:
    assert parse_address(words) == Address(*expected.split("|"))


def test_every_country_is_among_them() -> None:
    named = {expected.rpartition("|")[2] for _, expected in ABROAD}
    assert named == {country.name for country in COUNTRIES} - {"USA"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("12 Long Street, Cape Town 8001, South Africa", "12 Long Street||Cape Town||8001|South Africa"),
        ("12 long street, cape town, 8001, south africa", "12 long street||Cape Town||8001|South Africa"),
        ("12 Long Street, Cape Town 8001 South Africa", "12 Long Street||Cape Town||8001|South Africa"),
        ("Brivibas iela 5, LV-1010 Riga, LATVIA", "Brivibas iela 5||Riga||LV-1010|Latvia"),
        ("5 jalan besar, kuala lumpur 50000, malaysia", "5 jalan besar||Kuala Lumpur||50000|Malaysia"),
        ("Av. Paulista 10, Macapá, AP 68900-100, Brazil", "Av. Paulista 10||Macapá|AP|68900-100|Brazil"),
        ("Rustaveli 5, Tbilisi 0108, Georgia", "Rustaveli 5||Tbilisi||0108|Georgia"),
        (
            "{'street': 'Long Street 1', 'city': 'Windhoek', 'zip': '10005', 'country': 'namibia'}",
            "Long Street 1||Windhoek||10005|Namibia",
        ),
    ],
)
def test_a_country_that_is_not_known_keeps_its_name(words: str, expected: str) -> None:
    assert parse_address(words) == Address(*expected.split("|"))


@pytest.mark.parametrize(
    ("words", "country"),
    [
        ("1 King Street, London SW1A 1AA", "United Kingdom"),
        ("12 Abbey Street, Dublin 1, D01 X285", "Ireland"),
        ("12 Rue Sherbrooke, Montréal, QC H2X 1Y4", "Canada"),
        ("350 Flinders Street, Melbourne, VIC 3000", "Australia"),
        ("{'street': '1 King Street', 'city': 'London', 'zip': 'SW1A 1AA'}", "United Kingdom"),
    ],
)
def test_a_postcode_of_one_country_only_tells_it(words: str, country: str) -> None:
    found = parse_address(words)
    assert found is not None and found.country == country


@pytest.mark.parametrize(
    "words",
    [
        "Storgata 5, 0155 Oslo",
        "Hauptstr. 5, 10115 Berlin",
        "Hauptstr. 5, Berlin, 10115",
        "Hauptstr. 5, 10115 Berlin, DE",
        "Rua Augusta 10, 1100-053 Lisbon",
        "5 jalan besar, kuala lumpur, malaysia, 50000",
        "9 Oak Road, Salem, OR 9730",
        "10 Orchard Road, Singapore 238823",
        "{'street': 'Storgata 5', 'city': 'Oslo', 'zip': '0155'}",
    ],
)
def test_without_a_country_it_is_not_made_american(ada: Any, words: str) -> None:
    assert parse_address(words) is None
    outcome = resolve_address(ada.customer, ada.orders, words)
    assert isinstance(outcome, Unknown), outcome


@pytest.mark.parametrize("words", ["Storgata 5, 01555 Oslo, Norway", "5 Storgata, Oslo, Norway, 01555"])
def test_a_postcode_of_another_form_is_asked_for_again(ada: Any, words: str) -> None:
    outcome = resolve_address(ada.customer, ada.orders, words)
    assert isinstance(outcome, Unknown) and "Norway" in outcome.text


def test_an_address_without_a_country_may_lie_in_the_customers_own(ada: Any) -> None:
    home = replace(ada.customer, address=Address("Ring 1", "", "Graz", "", "8010", "Austria"))
    outcome = resolve_address(home, (), "Mariahilfer Strasse 88, 1070 Vienna")
    assert outcome == Found(Address("Mariahilfer Strasse 88", "", "Vienna", "", "1070", "Austria"))
    assert resolve_address(home, (), "9 Oak Road, Salem, OR 97301") == Found(SALEM), "a state names the USA"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("9 Oak Road, Salem, 97301, thanks", "9 Oak Road||Salem|OR|97301|USA"),
        ("9 Oak Road, Salem, 97301, not the old one", "9 Oak Road||Salem|OR|97301|USA"),
        ("9 Oak Road, Santa Fe, 87501, New Mexico", "9 Oak Road||Santa Fe|NM|87501|USA"),
        ("9 Oak Road, Mexico, MO 65265", "9 Oak Road||Mexico|MO|65265|USA"),
        ("9 Oak Road, Miami, FL 33101, us", "9 Oak Road||Miami|FL|33101|USA"),
        ("9 Oak Road, Salem, OR, USA, 97301-1234", "9 Oak Road||Salem|OR|97301-1234|USA"),
        ("9 Oak Road, New York 10001", "9 Oak Road||New York|NY|10001|USA"),
        ("9 Oak Road, Unit A1 2nd Floor, Salem, 97301", "9 Oak Road|Unit A1 2nd Floor|Salem|OR|97301|USA"),
        ("Ada Example, 9 Oak Road, Salem, OR 97301", "Ada Example|9 Oak Road|Salem|OR|97301|USA"),
    ],
)
def test_an_american_address_stays_american(words: str, expected: str) -> None:
    assert parse_address(words) == Address(*expected.split("|"))


@pytest.mark.parametrize(
    "words",
    [
        "the order 1234 in Norway",
        "ship 2 of them to 1010 vienna austria",
        "12 abbey street dublin d01x285 is my new address",
        "use my old address, Salem 97301",
        "90 king street west toronto m5h 1j8 canada",
        "0155 Oslo, Norway",
        "Germany",
    ],
)
def test_what_only_looks_like_one_is_none(words: str) -> None:
    assert parse_address(words) is None


def test_every_address_of_the_shop_is_read_as_it_is_shown() -> None:
    with demo_stores() as make:
        shop = make().contents()
    every_address = {one.address for one in shop.customers} | {one.address for one in shop.orders}
    assert [str(one) for one in every_address if parse_address(str(one)) != one] == []


@pytest.mark.parametrize(
    "words", ["", "9 Oak Road", "Salem, OR", "somewhere else", "9 Oak Road, Salem", "{'city': 'Salem'}", "97301"]
)
def test_part_of_an_address_is_none(ada: Any, words: str) -> None:
    assert parse_address(words) is None
    assert not isinstance(resolve_address(ada.customer, ada.orders, words), Found)


@pytest.mark.parametrize(
    ("words", "current", "city"),
    [
        ("my default address", "Chicago", "Boston"),
        ("the address in my profile", "Chicago", "Boston"),
        ("same address as my other order", "Boston", "Chicago"),
        ("same as order #W4471333", "Boston", "Chicago"),
        ("the one in Chicago", "Boston", "Chicago"),
        ("200 Harbor Drive", "Boston", "Chicago"),
        ("9 Oak Road, Salem, OR 97301", "Boston", "Salem"),
    ],
)
def test_a_known_address_is_referred_to(ada: Any, words: str, current: str, city: str) -> None:
    here = next(order.address for order in ada.orders if order.address.city == current)
    outcome = resolve_address(ada.customer, ada.orders, words, current=here)
    assert isinstance(outcome, Found), outcome
    assert outcome.value.city == city


def test_several_that_fit_are_offered(ada: Any) -> None:
    outcome = resolve_address(ada.customer, ada.orders, "the same address as before, my usual order")
    assert isinstance(outcome, Found | Choose)
    outcome = resolve_address(ada.customer, ada.orders, "the address of the other order")
    assert isinstance(outcome, Choose), outcome
    for choice in outcome.choices:
        picked = resolve_address(ada.customer, ada.orders, choice.words)
        assert isinstance(picked, Found) and str(picked.value) == choice.words, "a choice resolves to itself"


def test_somebody_elses_order_gives_no_address(ada: Any) -> None:
    assert isinstance(resolve_address(ada.customer, ada.orders, "where #W4186801 goes"), Unknown)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from("9 Oak St, Salem, OR 97301 USA my other default Chicago order \n".split(" "))).map(
            " ".join
        ),
    )
)
def test_only_their_own_or_what_they_wrote(ada: Any, words: str) -> None:
    own = {ada.customer.address, *(order.address for order in ada.orders)}
    outcome = resolve_address(ada.customer, ada.orders, words)
    if isinstance(outcome, Found):
        assert outcome.value in own or outcome.value == parse_address(words)
    if isinstance(outcome, Choose):
        assert {choice.words for choice in outcome.choices} <= {str(address) for address in own}
