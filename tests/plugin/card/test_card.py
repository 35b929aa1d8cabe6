"""The run card: defaults are filled in, mistakes are told in one sentence that names entry, value and remedy."""

import pytest
import yaml

from mcbridge.errors import UserError
from plugin.card import Card, dump_card, load_card, override, parse_card, process_names, template


@pytest.mark.parametrize("process", process_names())
def test_template_is_a_valid_card_with_all_defaults(process):
    card = parse_card(template(process))
    assert card.process.name == process
    assert card == Card.model_validate({"process": {"name": process}})


def test_dumped_card_reads_back_as_the_same_card():
    card = parse_card("process: {name: drell-yan, zprime: {mass: 500}}\nevents: 7")
    assert parse_card(dump_card(card)) == card
    assert yaml.safe_load(dump_card(card))["process"]["zprime"]["width"] == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evnts: 3", ["unknown key 'evnts'", "did you mean 'events'"]),
        ("process: {name: drel-yan}", ["no process 'drel-yan'", "did you mean 'drell-yan'"]),
        ("process: gluon", ["no process 'gluon'", "did you mean 'gluons'"]),
        ("process: {name: drell-yan, mll_min: 5}", ["unknown key 'process.mll_min'", "'mll'"]),
        ("process: {name: drell-yan, zprime: {mas: 3}}", ["'process.zprime.mas'", "did you mean 'mass'"]),
        ("sampler: flwo", ["'sampler'", "'flwo'", "did you mean 'flow'"]),
        ("events: many", ["'events'", "integer", "'many'"]),
        ("seed: -1", ["'seed'", "-1"]),
        ("survey: {evaluations: 5}", ["'survey.evaluations'", "2000", "5"]),
        ("process: {name: gluons, n_final: 7}", ["'process.n_final'", "3 or 4", "7"]),
        ("process: {name: drell-yan, mll: [1]}", ["process.mll"]),
        ("- a list", ["list"]),
        ("process: [", ["not valid YAML", "line 1"]),
        ("process: {}", ["'process'", "drell-yan"]),
        ("process: {name: drell-yan, cms_energy: .nan}", ["'process.cms_energy'", "finite"]),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(text, words):
    with pytest.raises(UserError) as caught:
        parse_card(text, "card.yaml")
    message = str(caught.value)
    assert message.startswith("card.yaml")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_card_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml cannot be read: No such file"):
        load_card(tmp_path / "absent.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UserError, match="not a text file"):
        load_card(binary)


def test_command_line_values_replace_entries_and_are_checked():
    card = override(Card(), events=5, seed=None, sampler="vegas")
    assert (card.events, card.seed, card.sampler) == (5, 1, "vegas")
    with pytest.raises(UserError, match="'sampler' must be 'auto', 'flow' or 'vegas', not 'fast'"):
        override(Card(), sampler="fast")


def test_lhe_is_always_written_and_hepmc3_needs_pyhepmc(monkeypatch):
    assert parse_card("{}").formats == ("lhe",)
    with pytest.raises(UserError, match="the format lhe is always written"):
        parse_card("formats: [hepmc3]")
    with pytest.raises(UserError, match="formats"):
        parse_card("formats: [lhe, hepmc4]")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="the format hepmc3 needs the package pyhepmc: pip install"):
        parse_card("formats: [lhe, hepmc3]")
