package module

import "strconv"

// Op is an instruction's opcode: its byte, or, of those that follow a prefix,
// 0x100 and its number for the prefix 0xfc, 0x200 and its number for 0xfd.
type Op uint16

// Opcodes that more than their shape is known of, here or in what changes
// modules. All others are told apart by number only.
const (
	OpUnreachable  Op = 0x00
	OpNop          Op = 0x01
	OpBlock        Op = 0x02
	OpLoop         Op = 0x03
	OpIf           Op = 0x04
	OpElse         Op = 0x05
	OpEnd          Op = 0x0b
	OpBr           Op = 0x0c
	OpBrIf         Op = 0x0d
	OpBrTable      Op = 0x0e
	OpReturn       Op = 0x0f
	OpCall         Op = 0x10
	OpCallIndirect Op = 0x11
	OpDrop         Op = 0x1a
	OpSelect       Op = 0x1b
	OpSelectT      Op = 0x1c // with a type

	OpLocalGet  Op = 0x20
	OpLocalSet  Op = 0x21
	OpLocalTee  Op = 0x22
	OpGlobalGet Op = 0x23
	OpGlobalSet Op = 0x24
	OpTableGet  Op = 0x25
	OpTableSet  Op = 0x26

	OpI32Load    Op = 0x28
	OpI64Load    Op = 0x29
	OpI32Store   Op = 0x36
	OpI64Store   Op = 0x37
	OpI64Store32 Op = 0x3e
	OpMemorySize Op = 0x3f
	OpMemoryGrow Op = 0x40

	OpI32Const Op = 0x41
	OpI64Const Op = 0x42
	OpF32Const Op = 0x43
	OpF64Const Op = 0x44

	OpI32Eqz Op = 0x45
	OpI32Eq  Op = 0x46
	OpI32Ne  Op = 0x47
	OpI32LtS Op = 0x48
	OpI32LtU Op = 0x49
	OpI32GtS Op = 0x4a
	OpI32GtU Op = 0x4b
	OpI32LeS Op = 0x4c
	OpI32LeU Op = 0x4d
	OpI32GeS Op = 0x4e
	OpI32GeU Op = 0x4f
	OpI64Eqz Op = 0x50
	OpI64Eq  Op = 0x51
	OpI64Ne  Op = 0x52
	OpI64LtS Op = 0x53
	OpI64LtU Op = 0x54
	OpI64GtS Op = 0x55
	OpI64GtU Op = 0x56
	OpI64LeS Op = 0x57
	OpI64LeU Op = 0x58
	OpI64GeS Op = 0x59
	OpI64GeU Op = 0x5a

	OpI32Add  Op = 0x6a
	OpI32Sub  Op = 0x6b
	OpI32Mul  Op = 0x6c
	OpI32And  Op = 0x71
	OpI32Or   Op = 0x72
	OpI32Shl  Op = 0x74
	OpI32ShrU Op = 0x76
	OpI64Add  Op = 0x7c
	OpI64Sub  Op = 0x7d
	OpI64Mul  Op = 0x7e
	OpI64And  Op = 0x83
	OpI64Shl  Op = 0x86
	OpI64ShrU Op = 0x88

	OpI32WrapI64    Op = 0xa7
	OpI64ExtendI32S Op = 0xac
	OpI64ExtendI32U Op = 0xad
	OpI64Extend32S  Op = 0xc4

	OpRefNull   Op = 0xd0
	OpRefIsNull Op = 0xd1
	OpRefFunc   Op = 0xd2

	OpI64TruncSatF64U Op = 0x107
	OpMemoryInit      Op = 0x108
	OpDataDrop        Op = 0x109
	OpMemoryCopy      Op = 0x10a
	OpMemoryFill      Op = 0x10b
	OpTableInit       Op = 0x10c
	OpElemDrop        Op = 0x10d
	OpTableCopy       Op = 0x10e
	OpTableGrow       Op = 0x10f
	OpTableSize       Op = 0x110
	OpTableFill       Op = 0x111

	OpV128Load     Op = 0x200
	OpV128Store    Op = 0x20b
	OpV128Const    Op = 0x20c
	OpI8x16Shuffle Op = 0x20d
)

// Prefixes of opcodes, and what is added to the number behind them.
const (
	prefixMisc = 0xfc
	prefixSIMD = 0xfd

	baseMisc Op = 0x100
	baseSIMD Op = 0x200
	endOfOps Op = 0x300
)

// String returns the opcode as the binary format spells it, such as "0xfc 10".
func (op Op) String() string {
	switch {
	case op >= baseSIMD:
		return "0xfd " + strconv.Itoa(int(op-baseSIMD))
	case op >= baseMisc:
		return "0xfc " + strconv.Itoa(int(op-baseMisc))
	}
	return "0x" + strconv.FormatUint(uint64(op), 16)
}
