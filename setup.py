"""Build the compiled kernels and the sdist; pyproject.toml has all other settings."""

import gzip
import os
import re
import shutil
import sysconfig
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import EXTENSION_SUFFIXES
from io import BytesIO
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError

KERNELS = Path("sklearn_toynn", "_nets", "kernels")
# no flag may assume finite values: NaN and infinity reveal divergence
FLAGS = [  # for GCC and Clang
    *["-O3", "-std=gnu99", "-g0", "-fno-math-errno", "-fno-trapping-math"],
    *["-ffp-contract=fast", "-fopenmp-simd"],  # fused multiply-add, and sums in vectors
]
#: Vector size in bytes and flags for each table of kernels. The AVX tables are for x86-64.
BASELINE = {"kernels_baseline": (16, [])}
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*("-mavx512" + part for part in ("f", "dq", "bw", "vl", "cd")), *AVX2]
AVX = {
    "kernels_avx512": (64, [*AVX512, "-mprefer-vector-width=512"]),
    "kernels_avx2": (32, AVX2),
}
#: With the GIL, one wheel of the limited API serves Python 3.11 and later.
IS_LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")
# lines of a MANIFEST.in
SDIST = [
    *["graft docs", "graft tests", "include CITATION.cff", "global-exclude *.pyc *.png"],
    *["prune docs/" + name for name in ("_build", "_contents", "auto_examples", "generated")],
    *["prune docs/jupyterlite_contents", "exclude docs/sg_execution_times.rst"],
]


class BuildKernels(build_ext):
    """Compile the tables of kernels and the Cython module outside the source tree."""

    def run(self):
        # do not keep the kernels of an earlier build if compilation fails
        for folder in [self.build_lib, "."] if self.inplace else [self.build_lib]:
            for suffix in EXTENSION_SUFFIXES:
                Path(folder, KERNELS, "_compiled" + suffix).unlink(missing_ok=True)
        super().run()

    def build_extension(self, ext):
        if self.compiler.compiler_type == "msvc":
            self.replace_msvc()
        has_avx = self.plat_name.endswith(("x86_64", "amd64"))
        wasm = ["-msimd128"] * self.plat_name.endswith("wasm32")
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(self.compile_module, ext, has_avx)]
            for table, (size, flags) in (AVX | BASELINE if has_avx else BASELINE).items():
                macros = [("KERNELS", table), ("VECTOR_BYTES", str(size))]
                arguments = KERNELS / "kernels.c", table, FLAGS + flags + wasm, macros
                jobs.append(pool.submit(self.compile, *arguments))
            ext.extra_objects = [name for job in jobs for name in job.result()]
        ext.sources = []
        super().build_extension(ext)

    def replace_msvc(self):
        """Compile with clang-cl, because MSVC has no vector extensions."""
        if not self.compiler.initialized:
            self.compiler.initialize(self.plat_name)
        self.compiler.cc = shutil.which("clang-cl")
        if self.compiler.cc is None:
            raise CompileError("On Windows, the kernels need clang-cl, which comes with LLVM.")

    def compile_module(self, ext, has_avx):
        (module,) = cythonize(ext, build_dir=self.build_temp, quiet=True)
        macros = [("HAS_AVX", "1")] * has_avx + [("Py_LIMITED_API", "0x030B0000")] * IS_LIMITED
        return self.compile(module.sources[0], "module", ["-O1", *FLAGS[1:]], macros)

    def compile(self, source, folder, flags, macros):
        """Compile a file in its own folder; return the names of the object files."""
        flags = [*flags, *os.environ.get("CFLAGS", "").split()]  # the user's flags take precedence
        if self.compiler.compiler_type == "msvc":
            flags = ["/clang:" + flag for flag in flags]
        return self.compiler.compile(
            [str(source)],
            str(Path(self.build_temp, folder)),
            macros=macros,
            include_dirs=[str(KERNELS)],
            extra_preargs=flags,
        )


class SourceDistribution(sdist):
    """An sdist with tests and docs, reproducible if SOURCE_DATE_EPOCH is set."""

    def make_distribution(self):
        for line in SDIST:
            self.filelist.process_template_line(line)
        super().make_distribution()
        if "SOURCE_DATE_EPOCH" in os.environ:
            for name in self.archive_files:
                remove_traces(Path(name), int(os.environ["SOURCE_DATE_EPOCH"]))


def remove_traces(path, date):
    """Rewrite a .tar.gz with one date and without owners; setuptools cannot do this."""
    with tarfile.open(path) as archive:
        files = [(file, archive.extractfile(file).read()) for file in archive if file.isfile()]
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=date) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for file, content in sorted(files, key=lambda pair: pair[0].name):
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mtime = len(content), date
            entry.mode = 0o755 if file.mode & 0o100 else 0o644
            archive.addfile(entry, BytesIO(content))


def read_readme():
    """Return README.md for PyPI: its links lead to the release's files in the repository."""
    text = Path("README.md").read_text(encoding="utf-8")
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    if source := project.get("urls", {}).get("Source", "").rstrip("/"):
        version = Path("sklearn_toynn", "_version.py").read_text(encoding="utf-8").split('"')[-2]
        text = re.sub(r"(!\[[^]]*\]\()(?=docs/)", rf"\1{source}/raw/v{version}/", text)
        text = text.replace("](docs/", f"]({source}/blob/v{version}/docs/")
    return text


kernels = Extension(
    "sklearn_toynn._nets.kernels._compiled",
    [str(KERNELS / "_compiled.pyx")],
    depends=sorted(map(str, [*KERNELS.glob("*.h"), *KERNELS.glob("*.c")])),
    py_limited_api=IS_LIMITED,
    # without a compiler, use NumPy's kernels unless the user requests compiled ones
    optional=os.environ.get("SKLEARN_TOYNN_KERNELS") != "compiled",
)
is_pure = os.environ.get("SKLEARN_TOYNN_PURE") == "1"
setup(
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    ext_modules=[] if is_pure else [kernels],
    options={} if is_pure or not IS_LIMITED else {"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_ext": BuildKernels, "sdist": SourceDistribution},
)
