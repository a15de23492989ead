"""What a compiled function executes: its machine instructions, counted by class.

LLVM's optimised code is compiled twice more. Once a counter stands at the head of every basic
block, and a run says how often each is entered; once a remark stands there, and the assembly
says which instructions follow it. Their product is the count. It is approximate where LLVM
makes blocks of its own out of one (they count with the one before them in the text), and it
does not see into functions that are called, such as `fmod`. `written` counts the code that runs
elsewhere; both hold the same instructions, so the remarks change nothing. LLVM 16 or later, for
pointers are written without types.
"""

from __future__ import annotations

import ctypes
import platform
import re
from collections import Counter
from typing import Any

import numpy as np

Job = tuple[Any, tuple[Any, ...]]
"""A compiled function and its arguments, all arrays."""
Count = Counter[tuple[str, int]]
"""Instructions by class and by doubles that one works on."""

SCALAR, PACKED = "scalar", "packed"
DIVIDE, ROUND, CHOOSE, ADD, MEMORY, ANY = (
    "divide", "round", "min, max, compare", "add, multiply", "loads, stores", "any",
)  # fmt: skip
CLASSES = (DIVIDE, ROUND, CHOOSE, ADD, MEMORY, ANY)
X86 = {
    DIVIDE: r"v?div[sp]d",
    ROUND: r"v?(round|rndscale)[sp]d",
    CHOOSE: r"v?(min|max|cmp\w*|u?comi)[sp]d",
    ADD: r"v?(add|sub|mul)[sp]d|vfn?m(add|sub)\w*[sp]d",
}
ARM = {
    DIVIDE: r"fdiv(\.2d)?",
    ROUND: r"frint\w(\.2d)?",
    CHOOSE: r"f(min|max|cm|ccmp)\w*(\.2d)?",
    ADD: r"f(n?m)?(add|sub|mul|mla|mls)(\.2d)?",
}
MNEMONICS = {"x86_64": X86, "aarch64": ARM, "arm64": ARM}.get(platform.machine())
"""How this machine writes each class; None where its code is not read."""


def classes(instruction: str) -> list[tuple[str, int]]:
    """The classes of an instruction, and its doubles: 1 where it is scalar."""
    assert MNEMONICS is not None
    name, _, operands = instruction.partition("\t")
    if MNEMONICS is X86:
        widths = [
            lanes for kind, lanes in (("z", 8), ("y", 4), ("x", 2)) if f"%{kind}mm" in operands
        ]
        lanes = widths[0] if name.endswith("pd") and widths else 1
        memory = "(" in operands and not name.startswith("lea")
    else:
        lanes = 2 if ".2d" in instruction else 1
        memory = name.startswith(("ld", "st"))
    found = [(each, lanes) for each, pattern in MNEMONICS.items() if re.fullmatch(pattern, name)]
    return [*found, (ANY, 1), *([(MEMORY, 1)] if memory else [])]


def instructions(text: str, name: str) -> list[str]:
    """The lines of a function's assembly that are instructions, or remarks of `executed`."""
    body = re.split(rf"\n_?{re.escape(name)}:", text)[1]
    body = re.split(r"\n\.Lfunc_end|\n\s*\.cfi_endproc", body)[0]
    lines = (line.strip() for line in body.splitlines())
    return [line for line in lines if re.match(r"[a-z]", line)]


REMARK = 'call void asm sideeffect ".set block, NUMBER", ""()'
COUNTER = """\
%cell.NUMBER = getelementptr i64, ptr inttoptr (i64 RUNS to ptr), i64 NUMBER
%runs.NUMBER = load i64, ptr %cell.NUMBER
%more.NUMBER = add i64 %runs.NUMBER, 1
store i64 %more.NUMBER, ptr %cell.NUMBER"""
"""LLVM code that leaves the number of a block in assembly, and that counts its runs in memory."""


def noted(code: str, name: str, note: str) -> tuple[str, int]:
    """LLVM code with a note at the head of every basic block of a function, and their number."""
    lines, inside, due, blocks = [], False, False, 0
    for line in code.splitlines():
        if line.startswith("define"):
            inside = due = f"@{name}(" in line
        elif inside and re.match(r'["\w.$-]+:', line):
            due = True
        elif due and line.strip() and " = phi " not in line:
            lines.append(note.replace("NUMBER", str(blocks)))
            blocks, due = blocks + 1, False
        inside = inside and line != "}"
        lines.append(line)
    return "\n".join(lines), blocks


def issued(count: Count, what: str, *, packed: bool = False) -> float:
    """Instructions of a class, all or those on several doubles."""
    return sum(times for (of, lanes), times in count.items() if of == what and lanes > packed)


def name_of(function: Any) -> str:
    """The name of a compiled function in machine code."""
    return str(function.overloads[function.signatures[0]].fndesc.llvm_func_name)


def written(function: Any) -> Count:
    """Instructions by class that stand in the machine code of a compiled function."""
    lines = instructions(function.inspect_asm(function.signatures[0]), name_of(function))
    return Count(each for line in lines for each in classes(line))


def executed(function: Any, *tables: Any) -> Count:
    """Instructions by class that a call executes.

    Args:
        function: compiled by `numba.njit`, and called once with arrays of these kinds.
        tables: the arrays.
    """
    from llvmlite import binding

    binding.initialize_native_asmparser()  # without it LLVM takes no remark into assembly
    code, name = function.inspect_llvm(function.signatures[0]), name_of(function)
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
    )
    remarked, blocks = noted(code, name, REMARK)
    assembly = machine.emit_assembly(binding.parse_assembly(remarked))
    runs = np.zeros(blocks, np.int64)
    counting = noted(code, name, COUNTER.replace("RUNS", str(runs.ctypes.data)))[0]
    engine = binding.create_mcjit_compiler(binding.parse_assembly(counting), machine)
    engine.finalize_object()
    call_native(engine.get_function_address(name), tables)
    total, times = Count(), 0
    for line in instructions(assembly, name):
        if line.startswith("block = "):
            times = int(runs[int(line.removeprefix("block = "))])
        else:
            total.update(dict.fromkeys(classes(line), times))
    return total


def call_native(address: int, tables: tuple[Any, ...]) -> None:
    """Call a function of Numba's by its address: where to put results and errors, then arrays."""
    result, error = ctypes.create_string_buffer(256), ctypes.c_void_p()
    words = [ctypes.addressof(result), ctypes.addressof(error)]
    for table in tables:
        words += [0, 0, table.size, table.itemsize, table.ctypes.data]
        words += [*table.shape, *table.strides]
    kinds = [ctypes.c_int64] * len(words)
    if ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)(*words):
        raise RuntimeError("the function raised")
