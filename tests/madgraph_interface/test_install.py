"""The plug-in for MadGraph's shell, with a stand-in for MadGraph."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from madgraph_interface.enable import status
from madgraph_interface.install import install_plugin
from mcbridge.errors import UserError


@pytest.fixture
def madgraph(tmp_path):
    """A folder that looks like an installation."""
    (tmp_path / "mg5/bin").mkdir(parents=True)
    (tmp_path / "mg5/PLUGIN").mkdir()
    (tmp_path / "mg5/bin/mg5_aMC").touch()
    return tmp_path / "mg5"


class MasterCmd:
    """What the plug-in uses of MadGraph's interface."""

    class InvalidCmd(Exception):  # noqa: N818
        pass

    def split_arg(self, line):
        return line.split()

    def list_completion(self, text, choices):
        return [choice for choice in choices if choice.startswith(text)]


def load(folder, monkeypatch, interface):
    packages = {name: ModuleType(name) for name in ("madgraph", "madgraph.interface")}
    if interface:
        master = ModuleType("madgraph.interface.master_interface")
        master.MasterCmd = MasterCmd
        packages["madgraph.interface"].master_interface = master
        packages["madgraph.interface.master_interface"] = master
    for name, module in packages.items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("PLUGIN.binnis", folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "PLUGIN.binnis", module)
    spec.loader.exec_module(module)
    return module


def test_the_command_of_the_shell(madgraph, directory, monkeypatch, capfd):
    plugin = load(install_plugin(madgraph), monkeypatch, interface=True)
    for name in ("minimal_mg5amcnlo_version", "maximal_mg5amcnlo_version", "latest_validated_version"):
        assert getattr(plugin, name)[:2] == (3, 5)
    shell = plugin.new_interface()
    with pytest.raises(MasterCmd.InvalidCmd, match="no output yet"):
        shell.do_binnis("enable")
    shell._done_export = (str(directory), "madevent")
    shell.do_binnis("enable")
    assert status(directory).enabled
    shell.do_binnis(f"disable {directory}")
    assert not status(directory).enabled
    with pytest.raises(MasterCmd.InvalidCmd, match="failed"):
        shell.do_binnis(f"disable {directory}")
    said = capfd.readouterr().err
    assert "is not enabled" in said
    assert "Traceback" not in said
    with pytest.raises(MasterCmd.InvalidCmd, match="enable, disable, status"):
        shell.do_binnis("enabel")
    assert shell.complete_binnis("en", "binnis en", 7, 9) == ["enable"]


def test_inside_a_process_directory_it_adds_nothing(madgraph, monkeypatch):
    assert load(install_plugin(madgraph), monkeypatch, interface=False).new_interface is None


def test_installing_again_and_refusals(madgraph, tmp_path):
    assert install_plugin(madgraph) == install_plugin(madgraph) == madgraph / "PLUGIN/binnis"
    with pytest.raises(UserError, match="no MadGraph5_aMC@NLO"):
        install_plugin(tmp_path)
    (madgraph / "PLUGIN/binnis/location.txt").unlink()
    with pytest.raises(UserError, match="not installed by binnis"):
        install_plugin(madgraph)
