"""Fictitious people: the names, numbers and dates that a hospital would keep and a release must not."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

_FAMILY = [
    "Abernathy",
    "Okafor",
    "Lindqvist",
    "Moreau",
    "Castellano",
    "Whitfield",
    "Nakamura",
    "Petrov",
    "Oyelaran",
    "Brandt",
    "Dufresne",
    "Halloran",
    "Iyer",
    "Kowalczyk",
    "Mbeki",
    "Novak",
    "Quintero",
    "Rasmussen",
    "Santoro",
    "Thackeray",
    "Ueda",
    "Vance",
    "Wexler",
    "Yilmaz",
    "Zeller",
    "Fairbanks",
]
_FEMALE = [
    "Adaeze",
    "Beatrice",
    "Camille",
    "Dorothea",
    "Elena",
    "Freya",
    "Giulia",
    "Hanna",
    "Imani",
    "Johanna",
    "Keiko",
    "Leonie",
    "Margit",
    "Noor",
    "Olivia",
    "Paula",
]
_MALE = [
    "Anton",
    "Benedict",
    "Caleb",
    "Dmitri",
    "Emeka",
    "Florian",
    "Gustav",
    "Hiroshi",
    "Ivan",
    "Jonas",
    "Karim",
    "Leopold",
    "Matteo",
    "Nils",
    "Oskar",
    "Pavel",
]
_MIDDLE = "ABCDEGHJKLMNPRSTW"

READERS = ("Hartwell^Miriam^^Dr", "Osei^Daniel^^Dr", "Lindgren^Sofia^^Dr", "Ferrante^Luca^^Dr")
HOSPITAL = "St. Elsewhere Phantom Hospital"
ISSUER = "PHANTOMGENERAL"


@dataclass(frozen=True)
class Person:
    """What a patient's folder says on its cover."""

    name: str
    patient_id: str
    birth: date
    sex: str


def invent(random: np.random.Generator, index: int, age: int, first_study: date, sex: str) -> Person:
    """Invent a person who has this age at the first study."""
    given = random.choice(_FEMALE if sex == "F" else _MALE)
    name = f"{random.choice(_FAMILY)}^{given}^{_MIDDLE[int(random.integers(len(_MIDDLE)))]}"
    birth = first_study - timedelta(days=int(age * 365.25 + random.integers(5, 350)))
    return Person(name, f"{int(random.integers(10, 99))}-{index:04d}-{int(random.integers(100, 999))}", birth, sex)


_YEAR_WEIGHTS = np.exp(0.16 * np.arange(17)) * np.where(np.arange(17) >= 15, 1.5, 1.0)


def study_dates(random: np.random.Generator, count: int) -> list[date]:
    """Dates of a patient's studies, 2000 to 2016, the more the later (paper, Fig. 3)."""
    year = 2000 + int(random.choice(17, p=_YEAR_WEIGHTS / _YEAR_WEIGHTS.sum()))
    day = date(year, 1, 1) + timedelta(days=int(random.integers(0, 330)))
    dates = [day]
    for _ in range(count - 1):
        day = min(
            day + timedelta(days=int(random.choice([56, 63, 84, 91, 120, 182])) + int(random.integers(-4, 5))),
            date(2016, 12, 30),
        )
        dates.append(day if day > dates[-1] else dates[-1] + timedelta(days=1))
    return dates
