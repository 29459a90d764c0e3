"""The compiled kernels, and the tests and docs of the sdist: what no table can say."""

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext  # Cython's, with setuptools' additions
from setuptools.command.sdist import sdist

KERNELS = Path("sklearn_toynn", "_nets", "kernels")
# nothing that takes NaN and infinity for granted: divergence is found by them
GCC_FLAGS = [  # Clang's as well
    *["-O3", "-std=c99", "-fno-math-errno", "-fno-trapping-math"],
    *["-ffp-contract=fast", "-fopenmp-simd"],  # fused multiply-add, and sums in vectors
]
MSVC_FLAGS = ["/O2", "/std:c11", "/fp:precise"]
# in the manner of a MANIFEST.in
SDIST = ["graft docs", "graft tests", "include CITATION.cff", "global-exclude *.pyc *.png"]


class BuildKernels(build_ext):
    """Compile with the flags above, the C code that Cython makes out of the tree."""

    def initialize_options(self):
        super().initialize_options()
        self.cython_c_in_temp = True

    def run(self):
        # where the compiler fails, no kernels of an earlier build pass for this one's
        for folder in [self.build_lib, "."] if self.inplace else [self.build_lib]:
            for extension in self.extensions:
                Path(folder, self.get_ext_filename(extension.name)).unlink(missing_ok=True)
        super().run()

    def build_extension(self, ext):
        is_msvc = self.compiler.compiler_type == "msvc"
        ext.extra_compile_args = MSVC_FLAGS if is_msvc else GCC_FLAGS
        super().build_extension(ext)


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
    depends=sorted(map(str, [*KERNELS.glob("*.h"), *KERNELS.glob("*.pxi")])),
    # without a compiler NumPy's kernels serve, unless the compiled ones are asked for
    optional=os.environ.get("SKLEARN_TOYNN_KERNELS") != "compiled",
)
setup(
    ext_modules=[] if os.environ.get("SKLEARN_TOYNN_PURE") == "1" else [kernels],
    cmdclass={"build_ext": BuildKernels, "sdist": SourceDistribution},
)
