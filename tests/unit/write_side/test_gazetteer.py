"""The offline geocoder: places what it is sure of, and nothing else."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from write_side.adapters.addresses import place_of
from write_side.adapters.gazetteer import gazetteer
from write_side.adapters.geocoders import ASKS_AT_A_TIME, GazetteerGeocoder
from write_side.domain.place import Ask, Place

ADDRESSES = list(csv.DictReader(Path(__file__).with_name("addresses.csv").read_text("utf-8").splitlines()))
REGIONS = [
    "BAN",
    "BIC",
    "CAG",
    "CAL",
    "CAR",
    "CEN",
    "COR",
    "DAV",
    "EAS",
    "ILO",
    "MIM",
    "NCR",
    "NEG",
    "NOR",
    "SOC",
    "WES",
    "ZAM",
]

# How people write: commas forgotten, provinces left out, streets named for places, Manila for all of the capital.
WRITTEN = [
    ("Quezon Avenue, Manila", "Manila", "Metro Manila"),
    ("Bataan St, Makati", "Makati", "Metro Manila"),
    ("Cavite-Laguna Expressway, Silang, Cavite", "Silang", "Cavite"),
    ("Rizal Ave, Puerto Princesa, Palawan", "Puerto Princesa", "Palawan"),
    ("Batangas St., San Isidro, Makati", "Makati", "Metro Manila"),
    ("Ayala Ave Makati", "Makati", "Metro Manila"),
    ("SM City Olongapo", "Olongapo", "Zambales"),
    ("Makati City 1226", "Makati", "Metro Manila"),
    ("1226 Makati City", "Makati", "Metro Manila"),
    ("Makati, 1226, Philippines", "Makati", "Metro Manila"),
    ("Makati City, Metro Manila, Philippines 1226", "Makati", "Metro Manila"),
    ("ORTIGAS CENTER, PASIG", "Pasig", "Metro Manila"),
    ("BGC", "Taguig", "Metro Manila"),
    ("5th Ave, Bonifacio Global City", "Taguig", "Metro Manila"),
    ("Alabang, Muntinlupa", "Muntinlupa", "Metro Manila"),
    ("Aurora Blvd, Cubao", "Quezon City", "Metro Manila"),
    ("Clark Freeport Zone", "Mabalacat", "Pampanga"),
    ("Subic Bay Freeport", "Olongapo", "Zambales"),
    ("NAIA Terminal 3", "Pasay", "Metro Manila"),
    ("Mactan, Cebu", "Lapu-Lapu", "Cebu"),
    ("Tagaytay", "Tagaytay", "Cavite"),
    ("Makati, Manila", "Makati", "Metro Manila"),
    ("Ayala Avenue, Makati City, Manila", "Makati", "Metro Manila"),
    ("Taft Ave, Q.C.", "Quezon City", "Metro Manila"),
    ("Commonwealth Ave., Quezon City, M.M.", "Quezon City", "Metro Manila"),
    ("ParaÃ±aque City", "Parañaque", "Metro Manila"),
    ("Dasmari?as, Cavite", "Dasmariñas", "Cavite"),
    ("Brgy.San Isidro,Cainta,Rizal", "Cainta", "Rizal"),
    ("Olongapo City Zambales", "Olongapo", "Zambales"),
    ("Rizal Ave Puerto Princesa Palawan", "Puerto Princesa", "Palawan"),
    ("San Fernando, Central Luzon", "San Fernando", "Pampanga"),
    ("Lucena City, Quezon, Calabarzon", "Lucena", "Quezon"),
    ("Tarlac City, Tarlac", "Tarlac City", "Tarlac"),
    ("Tarlac, Tarlac", "Tarlac City", "Tarlac"),
    ("Romblon, Romblon", "Romblon", "Romblon"),
    ("Quezon, Quezon", "Quezon", "Quezon"),
    ("Quezon, Bukidnon", "Quezon", "Bukidnon"),
    ("Cebu, Cebu", "Cebu City", "Cebu"),
    ("J.P. Laurel Ave, Davao", "Davao City", "Davao del Sur"),
    ("SM Lanang Premier, J.P. Laurel Ave, Davao", "Davao City", "Davao del Sur"),
    ("Isabela City, Basilan", "Isabela City", "Basilan"),
    ("Isabela City", "Isabela City", "Basilan"),
    ("San Fernando 2500", "San Fernando", "La Union"),
    ("Naga City 4400", "Naga", "Camarines Sur"),
    ("Naga, Cebu", "Naga", "Cebu"),
    ("San Juan, Metro Manila", "San Juan", "Metro Manila"),
    ("San Juan, Batangas", "San Juan", "Batangas"),
    ("Calamba City", "Calamba", "Laguna"),
    ("Makati City (beside Shell station)", "Makati", "Metro Manila"),
    ("Ayala Ave (Makati City)", "Makati", "Metro Manila"),
    ("Olongapo City, Zambales, near the church", "Olongapo", "Zambales"),
    ("Olongapo City, Zambales, Tel. 047-222-1234", "Olongapo", "Zambales"),
    ("City of Makati", "Makati", "Metro Manila"),
    ("Lungsod ng Makati", "Makati", "Metro Manila"),
    ("Municipality of Baler, Province of Aurora", "Baler", "Aurora"),
    ("Lipa City; Batangas", "Lipa", "Batangas"),
    ("Makati City - Metro Manila", "Makati", "Metro Manila"),
    ("Balibago, Laguna 4026", "Santa Rosa", "Laguna"),
    ("Sta. Mesa, Manila", "Manila", "Metro Manila"),
    ("Sampaloc, Manila", "Manila", "Metro Manila"),
    ("Sampaloc, Quezon", "Sampaloc", "Quezon"),
    ("Valenzuela City", "Valenzuela", "Metro Manila"),
    ("Cagayan de Oro", "Cagayan de Oro", "Misamis Oriental"),
    ("Bacolod", "Bacolod", "Negros Occidental"),
    ("Roxas City", "Roxas City", "Capiz"),
    ("Roxas, Palawan", "Roxas", "Palawan"),
    ("Roxas, Capiz", "Roxas City", "Capiz"),
    ("Victoria, Tarlac", "Victoria", "Tarlac"),
    ("Science City of Muñoz, Nueva Ecija", "Muñoz", "Nueva Ecija"),
    ("Island Garden City of Samal, Davao del Norte", "Samal", "Davao del Norte"),
    ("Samal, Bataan", "Samal", "Bataan"),
    ("Cotabato City, Maguindanao", "Cotabato City", "Maguindanao del Norte"),
    ("Sto. Tomas, Batangas", "Santo Tomas", "Batangas"),
    ("Sto Tomas Pampanga", "Santo Tomas", "Pampanga"),
    ("GMA, Cavite", "General Mariano Alvarez", "Cavite"),
    ("Gen. Trias, Cavite", "General Trias", "Cavite"),
    ("Gensan", "General Santos", "South Cotabato"),
    ("San Jose del Monte, Bulacan", "San Jose del Monte", "Bulacan"),
    ("M'lang, North Cotabato", "M'Lang", "Cotabato"),
    ("Lal-lo, Cagayan", "Lal-Lo", "Cagayan"),
    ("Metro Manila, Makati", "Makati", "Metro Manila"),
    ("Bay, Laguna", "Bay", "Laguna"),
    ("Real, Quezon", "Real", "Quezon"),
    ("Petron Tanauan, Batangas", "Tanauan", "Batangas"),
    ("Shell Mabalacat", "Mabalacat", "Pampanga"),
    ("Boracay", "Malay", "Aklan"),
    ("El Nido, Palawan", "El Nido", "Palawan"),
    ("SM Mall of Asia, Pasay", "Pasay", "Metro Manila"),
    ("SM Mall of Asia", "Pasay", "Metro Manila"),
    ("Quezon City", "Quezon City", "Metro Manila"),
    ("Cebu City", "Cebu City", "Cebu"),
    ("Zamboanga City", "Zamboanga City", "Zamboanga del Sur"),
    ("Cabuyao, Laguna", "Cabuyao", "Laguna"),
    ("makati", "Makati", "Metro Manila"),
    ("MAKATI CITY PHILIPPINES", "Makati", "Metro Manila"),
    ("Brgy 1, Tacloban City, Leyte, Region VIII, Philippines, 6500", "Tacloban", "Leyte"),
    ("Eastwood City, Libis, Quezon City", "Quezon City", "Metro Manila"),
    ("Purok 3, Brgy. Poblacion, Malungon, Sarangani Province", "Malungon", "Sarangani"),
    ("Lot 5 Blk 3, Villa Rizal Subd., Sta. Maria, Bulacan", "Santa Maria", "Bulacan"),
    ("Quezon Ave, Lucena", "Lucena", "Quezon"),
    ("Rizal Park, Manila", "Manila", "Metro Manila"),
    ("Roxas Blvd., Pasay", "Pasay", "Metro Manila"),
    ("Paseo de Roxas, Makati", "Makati", "Metro Manila"),
    ("Lapu Lapu City, Cebu", "Lapu-Lapu", "Cebu"),
    ("Biñan City Laguna", "Biñan", "Laguna"),
    ("Bonifacio St, Baguio City, Benguet, CAR", "Baguio", "Benguet"),
    ("San Pedro City, Laguna", "San Pedro", "Laguna"),
    ("Gov. Drive, Trece Martires City, Cavite", "Trece Martires", "Cavite"),
    ("123 Mabini St., Poblacion, Kalibo", "Kalibo", "Aklan"),
    ("IT Park, Lahug, Cebu", "Cebu City", "Cebu"),
    ("Quezon City, Manila", "Quezon City", "Metro Manila"),
    ("Alabang, Muntinlupa, Manila", "Muntinlupa", "Metro Manila"),
    ("Brgy. Bagong Silang, Caloocan", "Caloocan", "Metro Manila"),
    ("SM City Marilao, Bulacan", "Marilao", "Bulacan"),
    ("Rizal St Bulihan Plaridel Bulacan", "Plaridel", "Bulacan"),
    ("Makati City, beside the church, Philippines", "Makati", "Metro Manila"),
    ("Republic of the Philippines, Makati City", "Makati", "Metro Manila"),
    ("Lal-lo Cagayan", "Lal-Lo", "Cagayan"),
    ("Lallo, Cagayan", "Lal-Lo", "Cagayan"),
]

# Abroad, too little, or the name of several places.
UNPLACEABLE = [
    "Mall Road, Shimla, India",
    "221B Baker Street, London",
    "1600 Amphitheatre Parkway, Mountain View, CA 94043, USA",
    "San Isidro",
    "Rizal St, San Jose",
    "Santa Maria",
    "Poblacion, Santa Maria",
    "Guadalajara, Mexico",
    "Toledo, Spain",
    "Plaza Mayor, Valencia 46001",
    "Melbourne, Victoria 3000",
    "Los Angeles",
    "Los Angeles, California",
    "123 Angeles St, Los Angeles, CA",
    "San Fernando, Trinidad",
    "Barcelona",
    "Calle Mayor 5, Madrid",
    "Amman, Jordan",
    "Panaji, Goa",
    "Santiago, Chile",
    "Santiago",
    "San Antonio, Texas",
    "Rizal Street",
    "Quezon Avenue",
    "Rizal",
    "Quezon",
    "Cebu",
    "Luzon",
    "Metro Manila",
    "Philippines",
    "1226",
    "2200 Philippines",
    "Brgy. San Jose, Batangas",
    "Balibago, Laguna",
    "San Fernando City",
    "Naga City",
    "Talisay City",
    "San Carlos City",
    "Roxas Boulevard",
    "Paseo de Roxas",
    "Petron Bonifacio",
    "Hotel Manila, London",
    "Manila Street, Sydney, Australia",
    "Little Manila, Queens, New York",
    "Manila, Arkansas, USA",
    "Cebu Pacific office",
    "Mandaue City, Cebu City",
    "Olongapo City, Cavite",
    "San Isidro, Metro Manila",
    "Shell Station km 20",
    "asdfgh",
    "???",
    "東京都千代田区",
    "Makati, 日本",
    "Makati Street 5, Tokyo, 日本",
    ",,,,",
    "()",
    "-",
    "Victoria City",
    "Mexico City",
    "Cavite",
    "Tarlac, Cebu",
    "Main St, Manila Village, Louisiana",
    "Via Roma, Florence",
    "Santa Rosa, CA 95401",
    "San Jose, California",
    "Toledo, OH 43604",
    "Aurora, Colorado",
    "Manila 46001",
    "Davao Street",
    "Rizal, Metro Manila",
    "the old church behind the market",
    "San Roque",
    "Barangay Malaya",
    "Buenavista",
    "Bacolod St",
    "Calle Manila, Bogota",
    "Naga, Nagaland, India",
    "Cordova, Spain",
    "Angeles Crest Highway, La Canada",
    "Carmona, Sevilla",
    "Paris",
    "Baguio Road, Singapore",
    "Batangas Bay",
    "Manila Bay",
    "Laguna Beach",
    "Laguna Beach, California",
    "Lipa, Poland",
    "Baler Street, Hong Kong",
    "Victoria, Hong Kong",
    "0000",
    "Tondo Street, Auckland 1010",
    "Mati, Greece",
    "Taytay",
    "San Pedro",
    "Quirino Highway",
    "EDSA",
    "Bagong Silang",
    "Rizal St, Bagong Silang",
    "Makati City 2200 Olongapo Road, Tokyo",
    "J.P. Laurel Ave, Davao 1226",
]

# Where maps show these: malls, halls, airports, and the contract's own example of Makati.
POINTS = [
    (14.559192, 121.017516, "Makati", "Metro Manila"),
    (14.2471, 121.1367, "Cabuyao", "Laguna"),
    (14.5350, 120.9822, "Pasay", "Metro Manila"),
    (14.8230, 120.2800, "Olongapo", "Zambales"),
    (14.1153, 120.9621, "Tagaytay", "Cavite"),
    (10.3187, 123.9054, "Cebu City", "Cebu"),
    (10.3103, 123.9494, "Lapu-Lapu", "Cebu"),
    (7.0983, 125.6308, "Davao City", "Davao del Sur"),
    (16.4087, 120.5990, "Baguio", "Benguet"),
    (14.5507, 121.0509, "Taguig", "Metro Manila"),
    (14.6566, 121.0290, "Quezon City", "Metro Manila"),
    (14.4231, 121.0407, "Muntinlupa", "Metro Manila"),
    (14.5850, 121.0565, "Mandaluyong", "Metro Manila"),
    (14.5764, 120.9836, "Manila", "Metro Manila"),
    (11.9674, 121.9248, "Malay", "Aklan"),
    (9.7392, 118.7353, "Puerto Princesa", "Palawan"),
    (6.9214, 122.0790, "Zamboanga City", "Zamboanga del Sur"),
    (15.1690, 120.5800, "Angeles", "Pampanga"),
    (8.4542, 124.6319, "Cagayan de Oro", "Misamis Oriental"),
    (10.6765, 122.9509, "Bacolod", "Negros Occidental"),
    (20.4487, 121.9702, "Basco", "Batanes"),
    (4.6640, 119.3900, "Sitangkai", "Tawi-Tawi"),
]

ELSEWHERE = [
    (0.0, 0.0),
    (14.6, 130.0),  # the Philippine Sea
    (14.0, 117.5),  # the West Philippine Sea
    (5.84, 118.12),  # Sandakan, 33 km from the Turtle Islands
    (6.9, 116.85),  # Kudat
    (4.48, 118.61),  # Semporna
    (22.6, 120.3),  # Kaohsiung
    (5.55, 126.58),  # Miangas
    (51.5, -0.1),
    (121.0175, 14.5592),  # lng and lat exchanged
    (90.0, 180.0),
]


@pytest.fixture(scope="module")
def geocoder() -> GazetteerGeocoder:
    return GazetteerGeocoder()


async def place(geocoder: GazetteerGeocoder, address: str) -> Place | None:
    return (await geocoder.place_many([Ask(address, None, None)]))[0].by_address


def test_the_realistic_addresses_are_of_all_regions() -> None:
    counted = Counter(row["region"] for row in ADDRESSES)
    assert sorted(counted) == REGIONS
    assert len(ADDRESSES) >= 100
    assert min(counted.values()) >= 5
    assert all(row["source"] for row in ADDRESSES)


@pytest.mark.parametrize("row", ADDRESSES, ids=lambda row: row["address"])
async def test_a_realistic_address_is_placed_right(geocoder: GazetteerGeocoder, row: dict[str, str]) -> None:
    found = await place(geocoder, row["address"])
    assert found is not None
    assert (found.city, found.province, found.region) == (row["city"], row["province"], row["region"])


@pytest.mark.parametrize(("address", "city", "province"), WRITTEN)
async def test_an_address_is_read_as_people_write_it(
    geocoder: GazetteerGeocoder, address: str, city: str, province: str
) -> None:
    found = await place(geocoder, address)
    assert found is not None
    assert (found.city, found.province) == (city, province)


@pytest.mark.parametrize("address", UNPLACEABLE)
async def test_what_is_not_sure_is_refused(geocoder: GazetteerGeocoder, address: str) -> None:
    assert await place(geocoder, address) is None


def test_every_city_and_town_is_placed_by_its_name_and_province() -> None:
    known = gazetteer()
    missed = []
    for town in {id(point[2]): point[2] for point in known.points}.values():
        found = place_of(known, f"12 Rizal St., Brgy. San Jose, {town.city}, {town.province}")
        if found is None or (found.city, found.province) != (town.city, town.province):
            missed.append((town.city, town.province, found))
    assert missed == []


def test_a_barangay_and_a_province_alone_are_refused_unless_a_postal_code_tells() -> None:
    assert place_of(gazetteer(), "Balibago, Laguna") is None
    found = place_of(gazetteer(), "Balibago, Laguna 4026")
    assert found is not None
    assert found.city == "Santa Rosa"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("Ayala Avenue, Makati City 1226", "1226"),
        ("Ayala Avenue, 1226 Makati City", "1226"),
        ("Ayala Avenue, Makati City, 1226 Metro Manila, Philippines", "1226"),
        ("Ayala Avenue, Makati City, Philippines 1226", "1226"),
        ("Ayala Avenue, Makati City, ZIP Code 1226", "1226"),
        ("1226 Ayala Avenue, Makati City", None),  # a house number
        ("Ayala Avenue, Makati City", None),  # it has thirty-three
        ("Rizal Avenue, Olongapo City", "2200"),
        ("Pulo, Cabuyao, Laguna", "4025"),
        ("Roxas Boulevard, Ermita, Manila", None),
        ("Roxas Boulevard, Ermita, Metro Manila", "1000"),
    ],
)
async def test_a_postal_code_is_the_one_of_the_address_or_the_only_one_of_the_city(
    geocoder: GazetteerGeocoder, address: str, code: str | None
) -> None:
    found = await place(geocoder, address)
    assert found is not None
    assert found.postal_code == code


async def test_regions_are_three_letters_of_their_common_names(geocoder: GazetteerGeocoder) -> None:
    regions = {point[2].region for point in gazetteer().points}
    assert sorted(regions) == REGIONS
    found = await place(geocoder, "Rizal Avenue, Olongapo City")
    assert found is not None
    assert found.region == "CEN"


@pytest.mark.parametrize(("lat", "lng", "city", "province"), POINTS)
async def test_coordinates_alone_are_placed(
    geocoder: GazetteerGeocoder, lat: float, lng: float, city: str, province: str
) -> None:
    placed = (await geocoder.place_many([Ask("somewhere", lat, lng)]))[0]
    assert placed.by_address is None
    assert placed.by_coordinates is not None
    assert (placed.by_coordinates.city, placed.by_coordinates.province) == (city, province)


@pytest.mark.parametrize(("lat", "lng"), ELSEWHERE)
async def test_coordinates_abroad_or_at_sea_are_refused(geocoder: GazetteerGeocoder, lat: float, lng: float) -> None:
    assert (await geocoder.place_many([Ask("", lat, lng)]))[0].by_coordinates is None


async def test_without_both_coordinates_none_are_placed(geocoder: GazetteerGeocoder) -> None:
    placed = await geocoder.place_many([Ask("Makati", 14.559, None), Ask("Makati", None, 121.017)])
    assert [each.by_coordinates for each in placed] == [None, None]


async def test_each_answer_stands_where_its_question_stood(geocoder: GazetteerGeocoder) -> None:
    asked = [Ask(row["address"], None, None) for row in ADDRESSES] * 5
    placed = await geocoder.place_many(asked)
    assert [each.by_address.city for each in placed if each.by_address] == [row["city"] for row in ADDRESSES] * 5
    assert await geocoder.place_many([]) == []


async def test_others_have_their_turn_while_many_are_placed(geocoder: GazetteerGeocoder) -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(another())
    await geocoder.place_many([Ask(row["address"], 14.5592, 121.0175) for row in ADDRESSES] * 20)
    beside.cancel()
    assert turns >= len(ADDRESSES) * 20 // ASKS_AT_A_TIME


@given(st.text(max_size=500))
def test_no_text_breaks_it(text: str) -> None:
    found = place_of(gazetteer(), text)
    assert found is None or found.city


@given(
    st.lists(st.sampled_from([*"ABCD,;() ", "1226", "City", "of", "Makati", "Cebu", "Philippines", "zip"]), max_size=12)
)
def test_no_order_of_known_words_breaks_it(words: list[str]) -> None:
    found = place_of(gazetteer(), " ".join(words))
    assert found is None or found.city


@given(lat=st.floats(), lng=st.floats())
async def test_no_coordinates_break_it(geocoder: GazetteerGeocoder, lat: float, lng: float) -> None:
    placed = await geocoder.place_many([Ask("", lat, lng)])
    assert placed[0].by_coordinates is None or placed[0].by_coordinates.city
