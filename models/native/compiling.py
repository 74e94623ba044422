"""Machine code for this processor. Whoever asks for it keeps it: it is made anew each time."""

import ctypes
from collections.abc import Callable, Mapping

from llvmlite import binding, ir

from models.native.convolving import Shape
from models.native.emitting import INT

# Twelve sums of 8 in the 16 registers that AVX2 has, and in the 32 of AVX-512 24 sums of 16.
NARROW, WIDE = Shape(8, 16, 12), Shape(16, 32, 24)

Function = Callable[..., None]


def available() -> bool:
    """Whether this processor has the fused operation on registers that all of this rests on."""
    features = binding.get_host_cpu_features()
    return bool((features.get("avx2") and features.get("fma")) or features.get("neon"))


def usual() -> Shape:
    """The tiles that suit this processor."""
    features = binding.get_host_cpu_features()
    return WIDE if features.get("avx512f") and features.get("avx512vl") else NARROW


def compiled(module: ir.Module, name: str, given: Mapping[str, ir.Type]) -> Function:
    """Return the function of this name as machine code."""
    engine = _engine(str(module))
    types = [ctypes.c_int64 if each == INT else ctypes.c_void_p for each in given.values()]
    made: Function = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(name))
    # The code lives as long as its engine does.
    made.engine = engine  # type: ignore[attr-defined]
    return made


def _engine(text: str) -> binding.ExecutionEngine:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=2
    )
    module = binding.parse_assembly(text)
    module.verify()
    # Tiles are written as they shall run: variables go into registers, and that is nearly all.
    passes = binding.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    tuning = binding.create_pipeline_tuning_options()
    passes.run(module, binding.create_pass_builder(machine, tuning))
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
