"""The compiled kernels, and the tests and docs of the sdist: what no table can say."""

import os
import platform
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

KERNELS = Path("sklearn_toynn", "_nets", "kernels")
# nothing that takes NaN and infinity for granted: divergence is found by them
FLAGS = [  # GCC's and Clang's
    *["-O3", "-std=gnu99", "-g0", "-fno-math-errno", "-fno-trapping-math"],
    *["-ffp-contract=fast", "-fopenmp-simd"],  # fused multiply-add, and sums in vectors
]
#: The tables of kernels: the bytes of a vector, and flags, for x86-64 and elsewhere.
X86_64 = {
    "kernels_baseline": (16, []),
    "kernels_avx2": (32, ["-mavx2", "-mfma"]),
    "kernels_avx512": (
        64,
        [
            *["-mavx512" + name for name in ("f", "dq", "bw", "vl", "cd")],
            "-mavx2",
            "-mfma",
            "-mprefer-vector-width=512",
        ],
    ),
}
OTHERS = {"kernels_baseline": (16, [])}
# in the manner of a MANIFEST.in
SDIST = ["graft docs", "graft tests", "include CITATION.cff", "global-exclude *.pyc *.png"]


class BuildKernels(build_ext):
    """Compile with the flags above, the C code that Cython makes out of the tree."""

    def run(self):
        # where the compiler fails, no kernels of an earlier build pass for this one's
        for folder in [self.build_lib, "."] if self.inplace else [self.build_lib]:
            for extension in self.extensions:
                Path(folder, self.get_ext_filename(extension.name)).unlink(missing_ok=True)
        super().run()

    def build_extension(self, ext):
        sets = X86_64 if platform.machine().lower() in ("x86_64", "amd64") else OTHERS
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(self.compile_kernels, *item) for item in sets.items()]
            jobs.append(pool.submit(self.compile_module, ext))
            ext.extra_objects = [name for job in jobs for name in job.result()]
        ext.sources = []
        super().build_extension(ext)

    def compile_kernels(self, table, vector):
        size, flags = vector
        macros = [("KERNELS", table), ("VECTOR_BYTES", str(size))]
        return self.compile(KERNELS / "kernels.c", table, FLAGS + flags, macros)

    def compile_module(self, ext):
        (module,) = cythonize(ext, build_dir=self.build_temp, quiet=True)
        return self.compile(module.sources[0], "module", ["-O1", *FLAGS[1:]], [])

    def compile(self, source, folder, flags, macros):
        """Compile a file into a folder of its own; return the names of its objects."""
        return self.compiler.compile(
            [str(source)],
            str(Path(self.build_temp, folder)),
            macros=macros,
            include_dirs=[str(KERNELS), sysconfig.get_path("include")],
            extra_preargs=flags,
        )


class SourceDistribution(sdist):
    """The package's sources, its tests and docs."""

    def make_distribution(self):
        for line in SDIST:
            self.filelist.process_template_line(line)
        super().make_distribution()


kernels = Extension(
    "sklearn_toynn._nets.kernels._compiled",
    [str(KERNELS / "_compiled.pyx")],
    include_dirs=[str(KERNELS)],
    depends=sorted(map(str, [*KERNELS.glob("*.h"), *KERNELS.glob("*.c")])),
    # without a compiler NumPy's kernels serve, unless the compiled ones are asked for
    optional=os.environ.get("SKLEARN_TOYNN_KERNELS") != "compiled",
)
setup(
    ext_modules=[] if os.environ.get("SKLEARN_TOYNN_PURE") == "1" else [kernels],
    cmdclass={"build_ext": BuildKernels, "sdist": SourceDistribution},
)
