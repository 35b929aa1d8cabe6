"""From a card to a process: the user's own amplitude, with cuts by particle and by pair."""

import numpy as np
import pytest

from mcbridge.errors import UserError
from plugin.card import parse_card
from plugin.run import run
from plugin.run.process import build_process

AMPLITUDE = """
def matrix_element(p):
    # e- e+ -> mu- mu+ through a photon, e = 0.3: |M|^2 = e^4 (1 + cos^2 theta), spins averaged
    cos = p[:, 2, 3] / p[:, 2, 0]
    return 0.3**4 * (1 + cos**2)
"""

CARD = """
process:
  name: custom
  amplitude: {file}:matrix_element
  incoming: [[11, -11]]
  outgoing: [13, -13]
  cms_energy: 100
  tensors: {tensors}
  cuts: {{pt_min: {{13: 10}}, mass_min: {{'13 -13': 20}}}}
sampler: vegas
events: 100
survey: {{evaluations: 20000}}
choice: {{evaluations: 10000}}
integration: {{evaluations: 100000}}
"""


@pytest.mark.parametrize("tensors", ["false", "true"])
def test_a_users_amplitude_gives_the_cross_section_of_its_closed_form(tmp_path, tensors):
    (tmp_path / "my_amplitude.py").write_text(AMPLITUDE)
    card = parse_card(CARD.format(file=tmp_path / "my_amplitude.py", tensors=tensors))
    found = run(card, tmp_path / "out", quiet=True).integral
    edge = np.sqrt(1 - (10 / 50) ** 2)  # pT > 10 GeV with E = 50 GeV
    exact = 0.3**4 / (64 * np.pi**2 * 100**2) * 2 * np.pi * 2 * (edge + edge**3 / 3) * 0.3893793721e9
    assert found.mean == pytest.approx(exact, abs=4 * found.error)
    assert found.error < 0.002 * exact


def test_a_pair_cut_names_two_particles(tmp_path):
    (tmp_path / "my_amplitude.py").write_text(AMPLITUDE)
    text = CARD.format(file=tmp_path / "my_amplitude.py", tensors="false").replace("13 -13", "muons")
    with pytest.raises(UserError, match="'muons' must name two PDG numbers"):
        build_process(parse_card(text).process)
