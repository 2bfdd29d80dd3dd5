"""Configs: what is checked when one is made, paths into one, reading and writing one."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wetware
from wetware.config import (
    REGISTRY,
    Config,
    ConfigError,
    ablate,
    describe,
    from_dict,
    get,
    hints,
    kinds,
    mechanisms,
    nearest,
    number,
    parse,
    snake,
    to_dict,
    walk,
    with_,
)


@dataclass(frozen=True, kw_only=True)
class Drum(Config):
    abstract: ClassVar[bool] = True

    tension: float = number(1.0, 0.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class SnareDrum(Drum):
    wires: int = number(12, 0, 20)


@dataclass(frozen=True, kw_only=True)
class BassDrum(Drum):
    pass


@dataclass(frozen=True, kw_only=True)
class Musician(Config):
    abstract: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Singer(Musician):
    pitch: float = number(440.0, 0.0, open_ends=True)


@dataclass(frozen=True, kw_only=True)
class Pianist(Musician):
    hands: int = number(2, 1, 2)
    spare: Drum | None = None


@dataclass(frozen=True, kw_only=True)
class Band(Config):
    name: str = "trio"
    motto: str | None = None
    loud: bool = False
    size: int = number(4, 1, 8)
    balance: float = number(0.5, 0.0, 1.0, open_ends=True)
    rest: float | None = number(None, 0.0)
    drum: Drum = SnareDrum()
    spare: Drum | None = BassDrum()
    players: tuple[Musician, ...] = (Singer(),)
    beats: tuple[int, ...] = (1, 2)

    def check(self) -> None:
        if self.loud and self.size < 2:
            raise ConfigError("one player is not loud")


@dataclass(frozen=True, kw_only=True)
class Stall(Config):
    label: ClassVar[str | None] = "name"

    name: str
    price: float = number(1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Market(Config):
    stalls: tuple[Stall, ...] = (Stall(name="tea"), Stall(name="bread", price=2.0))


@dataclass(frozen=True, kw_only=True)
class Festival(Config):
    headliner: Band
    support: Band | None = None


drums = st.one_of(
    st.builds(SnareDrum, tension=st.floats(0.0, 2.0), wires=st.integers(0, 20)),
    st.builds(BassDrum, tension=st.floats(0.0, 2.0)),
)
musicians = st.one_of(
    st.builds(Singer, pitch=st.floats(0.0, 1e300, exclude_min=True)),
    st.builds(Pianist, hands=st.integers(1, 2), spare=st.none() | drums),
)
bands = st.builds(
    Band,
    name=st.text(),
    motto=st.none() | st.text(),
    size=st.integers(1, 8),
    balance=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    rest=st.none() | st.floats(0.0, 1e300),
    drum=drums,
    spare=st.none() | drums,
    players=st.lists(musicians, max_size=2, unique_by=type).map(tuple),
    beats=st.lists(st.integers()).map(tuple),
)
festivals = st.builds(Festival, headliner=bands, support=st.none() | bands)


# ---------------------------------------------------------------------------------------------------------- to and from


@given(festivals)
def test_plain_data_and_back(festival):
    data = to_dict(festival)
    assert from_dict(data) == festival
    assert from_dict(json.loads(json.dumps(data))) == festival
    assert festival.to_dict() == data


def test_plain_data_names_its_types():
    data = to_dict(Band(spare=None))
    assert data["type"] == "Band" and data["spare"] is None and data["beats"] == [1, 2]
    assert data["drum"] == {"type": "SnareDrum", "tension": 1.0, "wires": 12}
    assert data["players"] == [{"type": "Singer", "pitch": 440.0}]


def test_a_list_of_configs():
    assert from_dict(to_dict((Band(), Singer()))) == (Band(), Singer())


def test_what_is_not_given_is_the_default():
    assert from_dict({"type": "Band", "drum": {"type": "BassDrum"}}) == Band(drum=BassDrum())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "Bnad"}, "unknown config type 'Bnad'; did you mean 'Band'?"),
        ({"size": 3}, "unknown config type None"),
        ({"type": "SnareDrum", "tenson": 1.0}, "unknown field of SnareDrum: 'tenson'; did you mean 'tension'?"),
        ({"type": "Festival"}, "Festival: .*'headliner'"),
        ({"type": "Band", "drum": {"type": "SnareDrum", "wires": 21}}, r"SnareDrum.wires = 21 is out of range"),
        ({"type": "Band", "drum": {"type": "Singer"}}, "Band.drum = .*: expected BassDrum or SnareDrum, got Singer"),
        ({"type": "Drum"}, "Drum is a slot, not a part; allowed: SnareDrum, BassDrum"),
    ],
)
def test_damaged_data_is_named(data, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(data)


# ------------------------------------------------------------------------------------------------------------- checking


@pytest.mark.parametrize(
    "fields",
    [
        {"size": True},
        {"size": 4.0},
        {"size": "4"},
        {"size": None},
        {"balance": "0.5"},
        {"balance": True},
        {"balance": None},
        {"loud": 1},
        {"loud": "true"},
        {"name": 3},
        {"name": None},
        {"rest": "none"},
        {"drum": None},
        {"drum": Singer()},
        {"drum": SnareDrum},
        {"players": Singer()},
        {"players": (Singer(), SnareDrum())},
        {"players": None},
        {"beats": (1, "2")},
        {"beats": (1.5,)},
        {"beats": (True,)},
        {"beats": "12"},
    ],
    ids=repr,
)
def test_wrong_types_name_field_value_and_what_is_allowed(fields):
    [(name, value)] = fields.items()
    with pytest.raises(ConfigError) as raised:
        Band(**fields)
    message = str(raised.value)
    assert message.startswith(f"Band.{name} = {value!r}: expected {describe(hints(Band)[name])}, got ")
    assert message.endswith(type(value).__name__)


def test_whole_numbers_are_fine_where_a_float_is_expected():
    drum, band = SnareDrum(tension=1), Band(rest=2)
    assert type(drum.tension) is float and type(band.rest) is float
    assert type(band.size) is int and type(Band(loud=True).loud) is bool


def test_lists_become_tuples():
    band = Band(beats=[3, 4], players=[Pianist()])
    assert band.beats == (3, 4) and band.players == (Pianist(),)
    assert hash(band) == hash(Band(beats=(3, 4), players=(Pianist(),)))


@pytest.mark.parametrize("size", [1, 8])
def test_closed_ends_are_allowed(size):
    assert Band(size=size).size == size


@pytest.mark.parametrize("size", [0, 9, -1, 10**30])
def test_beyond_closed_ends(size):
    with pytest.raises(ConfigError, match=rf"^Band.size = {size} is out of range: allowed \[1, 8\]$"):
        Band(size=size)


@pytest.mark.parametrize("balance", [0.0, 1.0, 0, 1, -0.1, 1.1, math.nan, math.inf, -math.inf])
def test_open_ends_are_not_allowed(balance):
    with pytest.raises(ConfigError, match=r"Band.balance = .* is out of range: allowed \(0.0, 1.0\)$"):
        Band(balance=balance)


def test_next_to_open_ends_is_allowed():
    for balance in (math.nextafter(0.0, 1.0), math.nextafter(1.0, 0.0)):
        assert Band(balance=balance).balance == balance


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_may_be_other_than_finite(value):
    with pytest.raises(ConfigError, match=r"Band.rest = .* is out of range: allowed \[0.0, inf\]"):
        Band(rest=value)


@given(st.floats() | st.integers())
def test_what_a_range_lets_through_lies_in_it(value):
    inside = 0.0 < value < 1.0
    try:
        assert Band(balance=value).balance == value and inside
    except ConfigError:
        assert not inside


def test_two_parts_of_one_kind():
    with pytest.raises(ConfigError, match="Band.players holds two parts of one kind: singer, pianist, singer"):
        Band(players=(Singer(), Pianist(), Singer(pitch=220.0)))


def test_two_parts_of_one_kind_that_have_names():
    market = Market()
    assert from_dict(json.loads(json.dumps(to_dict(market)))) == market
    assert mechanisms(market) == ("stalls.tea", "stalls.bread")
    assert get(market, "stalls.bread.price") == 2.0
    assert with_(market, "stalls.bread.price", "3").stalls == (Stall(name="tea"), Stall(name="bread", price=3.0))
    assert ablate(market, "stalls.tea").stalls == (Stall(name="bread", price=2.0),)
    assert with_(market, "stalls.cake", Stall(name="cake")).stalls == (*market.stalls, Stall(name="cake"))
    with pytest.raises(ConfigError, match="Market.stalls holds two parts of one name: tea, bread, tea"):
        Market(stalls=(*market.stalls, Stall(name="tea", price=5.0)))
    for path, value in (
        ("stalls.bred.price", 1.0),
        ("stalls.stall", Stall(name="cake")),
        ("stalls.pie", Stall(name="cake")),
    ):
        with pytest.raises(ConfigError, match=f"unknown field of Market: '{path}'"):
            with_(market, path, value)


def test_beats_may_repeat():
    assert Band(beats=(1, 1)).beats == (1, 1)


def test_fields_are_checked_together():
    assert Band(loud=True, size=2)
    with pytest.raises(ConfigError, match="one player is not loud"):
        Band(loud=True, size=1)
    with pytest.raises(ConfigError, match="one player is not loud"):
        with_(Band(loud=True), "size", 1)


def test_frozen():
    band = Band()
    with pytest.raises(dataclasses.FrozenInstanceError):
        band.size = 5
    assert {band: "as a key"}[Band()] == "as a key"


def test_slots_are_not_parts():
    with pytest.raises(ConfigError, match="Drum is a slot"):
        Drum()


def test_data_only():
    with pytest.raises(TypeError, match="Band describes data only"):
        Band().build()


def test_one_name_one_config():
    with pytest.raises(TypeError, match=f"two configs are named 'Band': in {__name__} and elsewhere"):
        type("Band", (Config,), {"__module__": "elsewhere"})
    assert REGISTRY["Band"] is Band


# ---------------------------------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LIF", "lif"),
        ("STESpikes", "ste_spikes"),
        ("LogNormalDiversity", "log_normal_diversity"),
        ("Environment", "environment"),
        ("RealSam", "real_sam"),
        ("Top2Router", "top2_router"),
    ],
)
def test_snake(name, expected):
    assert snake(name) == expected


def test_walk_names_everything_that_get_finds():
    festival = Festival(headliner=Band(), support=Band(players=(Pianist(spare=SnareDrum()), Singer())))
    found = list(walk(festival))
    assert len({path for path, _, _ in found}) == len(found)
    for path, _, value in found:
        assert get(festival, path) is value
    paths = [path for path, _, _ in found]
    assert "support.players.pianist.spare.wires" in paths
    assert paths.index("support") < paths.index("support.players") < paths.index("support.players.pianist")


def test_mechanisms_are_filled_optional_slots_and_elements():
    assert mechanisms(Band()) == ("spare", "players.singer")
    assert mechanisms(Band(spare=None, players=())) == ()
    festival = Festival(headliner=Band(spare=None), support=Band(players=(Pianist(spare=SnareDrum()),)))
    assert mechanisms(festival) == (
        "headliner.players.singer",
        "support",
        "support.spare",
        "support.players.pianist",
        "support.players.pianist.spare",
    )


@given(festivals)
def test_ablating_takes_away_one_mechanism_and_what_is_in_it(festival):
    for path in mechanisms(festival):
        without = ablate(festival, path)
        gone = [other for other in mechanisms(festival) if other == path or other.startswith(f"{path}.")]
        assert mechanisms(without) == tuple(other for other in mechanisms(festival) if other not in gone)
        if "players" not in path.split(".")[-2:]:  # an element would come back at the end of its tuple
            assert with_(without, path, get(festival, path)) == festival


@pytest.mark.parametrize("path", ["drum", "size", "players", "players.pianist", "", "spare.tension"])
def test_ablating_what_is_no_mechanism(path):
    with pytest.raises(ConfigError, match=f"Band has no mechanism '{path}'"):
        ablate(Band(), path)


def test_ablating_guesses():
    with pytest.raises(ConfigError, match="no mechanism 'player.singer'; did you mean 'players.singer'?"):
        ablate(Band(), "player.singer")
    with pytest.raises(ConfigError, match="no mechanism 'xyz'; allowed: players.singer, spare"):
        ablate(Band(), "xyz")


@pytest.mark.parametrize(
    ("path", "guess"),
    [
        ("treshold", "'threshold'"),
        ("decay.longst", "'decay.longest'"),
        ("surogate", "'surrogate'"),
        ("reset.treshold", "did you mean"),
    ],
)
def test_unknown_fields_name_the_nearest(path, guess):
    from wetware.neurons import LIF

    for look in (get, lambda config, path: with_(config, path, 0.5)):
        with pytest.raises(ConfigError, match=f"unknown field of LIF: '{path}'; .*{guess}"):
            look(LIF(), path)


def test_a_field_known_elsewhere_is_named_with_its_place():
    festival = Festival(headliner=Band())
    with pytest.raises(ConfigError, match="unknown field of Festival: 'wires'; did you mean 'headliner.drum.wires'?"):
        with_(festival, "wires", 3)
    with pytest.raises(ConfigError, match="unknown field of Band: 'tension'; did you mean 'drum.tension'?"):
        get(Band(), "tension")  # the first of two
    with pytest.raises(ConfigError, match="unknown field of Festival: 'headliner.size.digits'"):
        get(festival, "headliner.size.digits")


def test_nearest_lists_what_is_allowed_when_nothing_is_near():
    assert nearest("zzz", ["b", "a"]) == "; allowed: a, b"
    assert nearest("zzz", []) == ""
    assert nearest("decoy", ["decay", "gain"]) == "; did you mean 'decay'?"


def test_kinds_are_what_fits_a_slot():
    assert kinds(Drum) == {"SnareDrum": SnareDrum, "BassDrum": BassDrum}
    assert kinds(Musician) == {"Singer": Singer, "Pianist": Pianist}
    assert kinds(Singer) == {"Singer": Singer}


# ----------------------------------------------------------------------------------------------------------- with_, text


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("name", "quartet", "quartet"),
        ("name", "none", "none"),
        ("motto", "none but us", "none but us"),
        ("motto", "none", None),
        ("loud", "true", True),
        ("loud", "False", False),
        ("size", "7", 7),
        ("size", " 7 ", 7),
        ("balance", "0.25", 0.25),
        ("balance", "1e-3", 1e-3),
        ("rest", "1_000", 1000.0),
        ("rest", "none", None),
        ("rest", "off", None),
        ("rest", "2", 2.0),
        ("drum", "BassDrum", BassDrum()),
        ("drum.wires", "0", 0),
        ("spare", "SnareDrum", SnareDrum()),
        ("spare", "null", None),
        ("spare.tension", "0.5", 0.5),
        ("beats", "3,4,5", (3, 4, 5)),
        ("beats", "(3, 4)", (3, 4)),
        ("beats", "", ()),
        ("players", "Singer,Pianist", (Singer(), Pianist())),
        ("players", "[]", ()),
        ("players.singer.pitch", "220", 220.0),
    ],
)
def test_text_is_read_by_the_type_of_the_field(path, text, value):
    changed = with_(Band(), path, text)
    assert get(changed, path) == value and type(get(changed, path)) is type(value)
    assert from_dict(to_dict(changed)) == changed
    same = {other: v for other, _, v in walk(Band()) if not (other.startswith(path) or path.startswith(other))}
    assert {other: get(changed, other) for other in same} == same


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("size", "7.5", "size = '7.5': expected int"),
        ("size", "true", "size = 'true': expected int"),
        ("size", "9", "Band.size = 9 is out of range"),
        ("size", "none", "size = 'none': expected int"),
        ("balance", "half", "balance = 'half': expected float"),
        ("balance", "nan", "Band.balance = nan is out of range"),
        ("rest", "some", "rest = 'some': expected float or none"),
        ("loud", "1", "loud = '1': expected bool"),
        ("drum", "SnarDrum", "drum = 'SnarDrum': expected BassDrum or SnareDrum; did you mean 'SnareDrum'?"),
        ("drum", "Drum", "drum = 'Drum': expected"),
        ("drum", "none", "drum = 'none': expected"),
        ("spare", "Singer", "spare = 'Singer': expected BassDrum or SnareDrum or none"),
        ("beats", "1,x", "beats = '1,x': expected a list of int"),
        ("players", "Singer,Singer", "two parts of one kind"),
    ],
)
def test_text_that_does_not_fit(path, text, message):
    with pytest.raises(ConfigError, match=message):
        with_(Band(), path, text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_as_text(value):
    assert parse(float, repr(value), "x") == value
    assert parse(float | None, repr(value), "x") == value


def test_the_given_config_stays_as_it_was():
    band = Band()
    before = to_dict(band)
    assert with_(band, "drum.wires", 3).drum.wires == 3
    ablate(band, "players.singer")
    assert to_dict(band) == before


def test_elements_are_added_replaced_and_removed():
    band = with_(Band(), "players.pianist", Pianist(hands=1))
    assert band.players == (Singer(), Pianist(hands=1))
    assert with_(Band(), "players.pianist", "Pianist").players == (Singer(), Pianist())
    assert with_(band, "players.singer", Singer(pitch=1.0)).players == (Singer(pitch=1.0), Pianist(hands=1))
    assert with_(band, "players.singer", "none").players == (Pianist(hands=1),)
    assert with_(band, "players.singer", None).players == (Pianist(hands=1),)
    assert with_(band, "players.pianist.hands", 2).players == (Singer(), Pianist())
    assert with_(Band(), "players.pianist", None) == Band()


@pytest.mark.parametrize("path", ["players.drummer", "players.pianist.hands", "players.snare_drum", "beats.x"])
def test_no_such_element(path):
    with pytest.raises(ConfigError, match=f"unknown field of Band: '{path}'"):
        with_(Band(), path, 1)


def test_a_whole_config_in_a_slot():
    assert with_(Band(), "drum", BassDrum(tension=2.0)).drum == BassDrum(tension=2.0)
    assert with_(Band(spare=None), "spare", SnareDrum()).spare == SnareDrum()
    with pytest.raises(ConfigError, match="Band.drum = .* expected"):
        with_(Band(), "drum", Singer())
    with pytest.raises(ConfigError, match="unknown field of Band: 'spare.tension'"):
        with_(Band(spare=None), "spare.tension", 1.0)


def test_a_part_can_be_written_with_its_fields():
    model = wetware.with_(wetware.RealSam(), "block.neuron", "LIF(threshold=0.5, decay=UniformDecay(value=0.8))")
    assert (model.block.neuron.threshold, model.block.neuron.decay) == (0.5, wetware.UniformDecay(value=0.8))
    assert wetware.with_(wetware.RealSam(), "block.neuron", "LIF()") == wetware.with_(
        wetware.RealSam(), "block.neuron", "LIF"
    )
    with pytest.raises(wetware.ConfigError, match="did you mean 'threshold'"):
        wetware.with_(wetware.RealSam(), "block.neuron", "LIF(treshold=0.5)")
    with pytest.raises(wetware.ConfigError, match=r"it needs path: ProgramFile\(path=...\)"):
        wetware.with_(wetware.SpikeWhale(), "modulators.gene_program.programs", "ProgramFile")


def test_a_part_of_a_list_is_guessed_by_its_name():
    with pytest.raises(wetware.ConfigError, match="did you mean 'traits.engram'"):
        wetware.with_(wetware.SpikeWhale(), "traits.engrm", "Engram")
    with pytest.raises(wetware.ConfigError, match="did you mean 'modulators.gene_program.gain'"):
        wetware.with_(wetware.SpikeWhale(), "modulators.gene_progam.gain", "0.2")
