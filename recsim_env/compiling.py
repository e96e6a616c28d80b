"""How the simulator's scalar functions are compiled: Numba, cached on disk, never stale.

With ``NUMBA_DISABLE_JIT=1`` in the environment every function stays plain Python, steppable in a debugger.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic, overload
from numba.np import arrayobj

PACKAGE = Path(__file__).parent
COMPILED_FROM = (
    "arithmetic",
    "catalog",
    "compiling",
    "config/platform",
    "config/users",
    "records",
    "streams",
)
"""The modules beside the kernel whose functions or constants are compiled."""

CACHE_LINE = 64  # bytes


def _source_fingerprint() -> str:
    """SHA-256 over every source that can reach compiled code."""
    digest = hashlib.sha256()
    rooms = [PACKAGE / f"{name}.py" for name in COMPILED_FROM]
    for path in sorted([*rooms, *(PACKAGE / "kernel").glob("*.py")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


_FINGERPRINT = _source_fingerprint()
_OPTIONS = "_compile_options"


class _FreshCache(FunctionCache):
    """Numba's on-disk cache, which also notices edits to the functions that the cached one calls."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _FINGERPRINT)


def compiled(
    function: Callable[..., Any] | None = None,
    *,
    inline: bool = False,
    merge: bool = False,
    entry: bool = False,
    cache: bool = True,
) -> Any:
    """Compile a function in nopython mode, without fast-math: bits must not depend on inlining.

    Compiled functions only read and write arrays that their caller holds, so they do without reference
    counts, whose atomic updates would cost more than a user's step.

    Args:
        function: the function, when used as a bare decorator.
        inline: whether LLVM must inline it, so that loops over it vectorise.
        merge: whether its code becomes part of its one caller, which saves compiling it twice; what it merged
            itself is copied once more, so what is large is rather inlined.
        entry: whether it is called from Python, with structured arrays.
        cache: whether its machine code is kept on disk.
    """

    def decorate(python_function: Callable[..., Any]) -> Any:
        setattr(python_function, _OPTIONS, {"inline": inline, "merge": merge, "entry": entry})
        dispatcher = numba.njit(
            error_model="numpy",
            nogil=True,
            forceinline=inline,
            inline="always" if merge else "never",
            _nrt=False,
        )(python_function)
        if not isinstance(dispatcher, Dispatcher):  # the compiler is switched off
            return _with_attributes(python_function) if entry else python_function
        if cache:
            dispatcher._cache = _FreshCache(python_function)
        return dispatcher

    return decorate if function is None else decorate(function)


def plain_function(value: Any) -> Callable[..., Any] | None:
    """The Python function behind a compiled one (also where the compiler is off); None for anything else."""
    function = value.py_func if isinstance(value, Dispatcher) else getattr(value, "__wrapped__", value)
    return function if hasattr(function, _OPTIONS) or isinstance(value, Dispatcher) else None


def compile_options(function: Callable[..., Any]) -> dict[str, bool]:
    """How ``compiled`` was asked to compile a plain function."""
    options: dict[str, bool] = getattr(function, _OPTIONS)
    return options


def _with_attributes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain function, its structured arrays viewed so that ``record.field`` works as in compiled code."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        viewed = (
            argument.view(np.recarray)
            if isinstance(argument, np.ndarray) and argument.dtype.names is not None
            else argument
            for argument in arguments
        )
        with np.errstate(all="ignore"):  # as compiled code: a blank position divides by its examination of 0
            return function(*viewed)

    return call


def specialise(function: Any, arguments: Sequence[Any]) -> Callable[..., Any]:
    """The machine code of a compiled function for the types of these arguments, as a callable.

    Calling it skips Numba's look-up of the types, which costs several times one user's step; arguments of
    other types must not be passed.
    """
    if not isinstance(function, Dispatcher):
        return function
    signature = tuple(function.typeof_pyval(argument) for argument in arguments)
    function.compile(signature)
    return function.overloads[signature].entry_point


@intrinsic
def _prefetch_record(typing_context: Any, array: Any, index: Any) -> Any:
    """Emit two cache-line prefetches for ``array[index]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = arrayobj.make_array(signature.args[0])(context, builder, arguments[0])
        record = cgutils.get_item_pointer(
            context, builder, signature.args[0], struct, [arguments[1]], wraparound=False
        )
        byte_pointer = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte_pointer], ir.FunctionType(ir.VoidType(), [byte_pointer, word, word, word])
        )
        start = builder.bitcast(record, byte_pointer)
        for line in range(2):
            address = builder.gep(start, [ir.Constant(ir.IntType(64), line * CACHE_LINE)])
            builder.call(prefetch, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@compiled
def _prefetch_compiled(array: Any, index: Any) -> None:
    _prefetch_record(array, index)


def _prefetch_nothing(array: Any, index: Any) -> None:
    """Without the compiler there is nothing to fetch ahead of."""


prefetch = _prefetch_nothing if numba.config.DISABLE_JIT else _prefetch_compiled


@intrinsic
def _dot_vectors(typing_context: Any, a: Any, b: Any) -> Any:
    """Inner product of two nested float32 arrays of one known length, a multiple of 4, in vectors of 4."""
    if not (isinstance(a, types.NestedArray) and isinstance(b, types.NestedArray)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), 4)
        starts = [
            builder.bitcast(arrayobj.make_array(kind)(context, builder, value).data, vector.as_pointer())
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        total = None
        for block in range(signature.args[0].shape[0] // 4):
            left, right = (
                builder.load(builder.gep(start, [ir.IntType(64)(block)]), align=4) for start in starts
            )
            product = builder.fmul(left, right)
            total = product if total is None else builder.fadd(total, product)
        s0, s1, s2, s3 = (builder.extract_element(total, ir.IntType(32)(i)) for i in range(4))
        return builder.fadd(builder.fadd(s0, s2), builder.fadd(s1, s3))

    return types.float32(a, b), generate


def vectorised_dot(reference: Callable[..., Any]) -> Any:
    """The inner product ``reference(a, b)``, in vector instructions where the arrays are fields of records.

    Ours: without fast-math LLVM keeps a sum in source order, one addition at a time; the vector code spells
    out the same order as ``reference``, so the bits agree.
    """

    def chosen(a: Any, b: Any) -> Any:
        """An inner product."""

    def choose(a: Any, b: Any) -> Any:
        if isinstance(a, types.NestedArray) and isinstance(b, types.NestedArray):
            return lambda a, b: _dot_vectors(a, b)
        return reference

    if numba.config.DISABLE_JIT:
        return reference
    overload(chosen, strict=False, jit_options={"error_model": "numpy", "_nrt": False})(choose)
    return chosen
