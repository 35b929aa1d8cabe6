"""Builds the C++ parts; the metadata is in setup.cfg.

* ``mcbridge.core._core``: the flow kernel, once per instruction set, chosen at run time; Python bindings.
* ``mcbridge/core/lib/libmcbridge.so``: the same kernel behind the C interface ``mcbridge.h``, without Python.
* ``mcbridge.amplitudes._gluons``: tree amplitudes of gluons (where its sources are there).
* ``madgraph_interface/lib/libbinnis_madevent.a``: the hook that MadGraph links into MadEvent.
"""

from __future__ import annotations

import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

CORE = Path("mcbridge/core")
HOOK = Path("madgraph_interface")
HOOK_NAME = "binnis_madevent"
X86 = platform.machine().lower() in ("x86_64", "amd64")
COMMON = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
SETS = {
    "generic": [],
    "avx2": ["-mavx2", "-mfma", "-mprefer-vector-width=256"],
    # the intrinsics of GCC pass undefined registers on purpose, and warn of them
    "avx512": [
        *("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"),
        *("-mprefer-vector-width=512", "-Wno-maybe-uninitialized", "-Wno-uninitialized"),
    ],
}
PLAIN = ["architecture", "batch", "channel_sampler", "dispatch", "sampler_file"]
# The plain units come first: where the linker merges inline functions, it keeps the first copy, and that must be one
# that every machine can run.
KERNEL = [f"src/{name}.cpp" for name in PLAIN] + ["src/kernel_generic.cpp"]
if X86:
    COMMON.append("-DMCB_X86")
    KERNEL += ["src/kernel_avx2.cpp", "src/kernel_avx512.cpp"]


class BuildCore(build_ext):
    """Compiles each kernel file with the flags of its instruction set, and links the C library beside the module."""

    def flags(self, source: str) -> list[str]:
        """Compiler flags of one source file."""
        name = Path(source).stem.removeprefix("kernel_")
        return COMMON + (SETS[name] if "kernel_" in source else [])

    def objects(self, sources: list[str], include: list[str]) -> list[str]:
        """Compile sources in parallel."""

        def compile_one(source: str) -> list[str]:
            found: list[str] = self.compiler.compile(
                [source], output_dir=self.build_temp, include_dirs=include, extra_postargs=self.flags(source)
            )
            return found

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [built for found in pool.map(compile_one, sources) for built in found]

    def copy_extensions_to_source(self) -> None:
        """Put what was built beside the sources, for an editable installation: the modules and the C library."""
        super().copy_extensions_to_source()
        library = Path(self.build_lib) / CORE / "lib" / "libmcbridge.so"
        if library.exists():
            (CORE / "lib").mkdir(exist_ok=True)
            shutil.copy(library, CORE / "lib" / library.name)
        hook = Path(self.build_lib) / HOOK / "lib" / f"lib{HOOK_NAME}.a"
        if hook.exists():
            (HOOK / "lib").mkdir(exist_ok=True)
            shutil.copy(hook, HOOK / "lib" / hook.name)

    def build_hook(self) -> None:
        """Build the hook for MadEvent: C alone, since it is linked by a Fortran compiler."""
        built = self.compiler.compile(
            sorted(str(path) for path in (HOOK / "hook").glob("*.c")),
            output_dir=self.build_temp,
            include_dirs=[str(CORE / "include")],
            extra_postargs=["-std=c99", "-O2", "-fPIC", "-fvisibility=hidden"],
        )
        folder = Path(self.build_lib) / HOOK / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"lib{HOOK_NAME}.a").unlink(missing_ok=True)
        self.compiler.create_static_lib(built, HOOK_NAME, output_dir=str(folder))

    def build_extension(self, extension: Pybind11Extension) -> None:
        """Build one module; with the core also the C library."""
        target = self.get_ext_fullpath(extension.name)
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        include = [str(CORE / "include"), *extension.include_dirs]
        if extension.name != "mcbridge.core._core":
            built = self.objects(list(extension.sources), include)
            self.compiler.link_shared_object(built, target, target_lang="c++")
            return
        kernel = self.objects([str(CORE / source) for source in KERNEL], include)
        bindings = self.objects([source for source in extension.sources if "bind_" in source], include)
        self.compiler.link_shared_object(kernel + bindings, target, target_lang="c++", extra_postargs=["-pthread"])
        interface = self.objects([str(CORE / "src/mcbridge.cpp")], include)
        library = Path(target).parent / "lib" / "libmcbridge.so"
        library.parent.mkdir(exist_ok=True)
        self.compiler.link_shared_object(
            kernel + interface,
            str(library),
            target_lang="c++",
            extra_postargs=["-pthread", "-Wl,-soname,libmcbridge.so"],
        )
        self.build_hook()


def extensions() -> list[Pybind11Extension]:
    """The modules to build."""
    found = [Pybind11Extension("mcbridge.core._core", sorted(str(p) for p in (CORE / "src").glob("*.cpp")))]
    gluons = sorted(str(p) for p in Path("mcbridge/amplitudes/src").glob("*.cpp"))
    if gluons:
        found.append(Pybind11Extension("mcbridge.amplitudes._gluons", gluons))
    return found


NAMES = ("binnis", "mcbridge", "plugin", "madgraph_interface", "sherpa_interface")
# MG5aMC_PLUGIN is shared by the plug-ins of MadGraph and belongs to none: it has no __init__.py to be found by.
PATTERNS = [pattern for name in NAMES for pattern in (name, f"{name}.*")]
PACKAGES = [*find_packages(include=PATTERNS), "MG5aMC_PLUGIN.binnis"]

setup(packages=PACKAGES, ext_modules=extensions(), cmdclass={"build_ext": BuildCore})
