package module

import "encoding/binary"

func (e *encoder) function(f *Func) {
	e.sized(func() {
		e.u32(uint32(len(f.Locals)))
		for _, run := range f.Locals {
			e.u32(run.Count)
			e.byte(byte(run.Type))
		}
		for i := range f.Body {
			e.instr(&f.Body[i], f)
		}
	})
}

// constant writes a constant expression.
func (e *encoder) constant(c *Const) {
	if c.Op == OpV128Const {
		e.op(c.Op)
		e.out = append(e.out, c.Vector[:]...)
	} else {
		e.instr(&c.Instr, nil)
	}
	e.byte(byte(OpEnd))
}

func (e *encoder) op(op Op) {
	switch {
	case op >= baseSIMD:
		e.byte(prefixSIMD)
		e.u32(uint32(op - baseSIMD))
	case op >= baseMisc:
		e.byte(prefixMisc)
		e.u32(uint32(op - baseMisc))
	default:
		e.byte(byte(op))
	}
}

// instr writes an instruction of f.
func (e *encoder) instr(in *Instr, f *Func) {
	e.op(in.Op)
	switch s := opTable[in.Op].shape; s {
	case shapePlain, shapeElse, shapeEnd:
	case shapeBlock:
		e.signed(int64(in.BlockType()))
	case shapeBrTable:
		e.brTable(f.Labels(in))
	case shapeLabel, shapeFunc, shapeLocal, shapeGlobal, shapeTable, shapeDataDrop, shapeElemDrop:
		e.u32(in.Index)
	case shapeIndirect, shapeTableInit, shapeTableCopy:
		e.u32(in.Index)
		e.u32(uint32(in.Imm))
	case shapeI32, shapeI64, shapeF32, shapeF64, shapeRefType, shapeSelectT:
		e.literal(in, s)
	default:
		e.memory(in, s, f)
	}
}

func (e *encoder) brTable(labels []uint32) {
	e.u32(uint32(len(labels) - 1))
	for _, l := range labels {
		e.u32(l)
	}
}

func (e *encoder) literal(in *Instr, s shape) {
	switch s {
	case shapeI32:
		e.signed(int64(int32(uint32(in.Imm))))
	case shapeI64:
		e.signed(int64(in.Imm))
	case shapeF32:
		e.out = binary.LittleEndian.AppendUint32(e.out, uint32(in.Imm))
	case shapeF64:
		e.out = binary.LittleEndian.AppendUint64(e.out, in.Imm)
	case shapeRefType:
		e.byte(byte(in.Index))
	case shapeSelectT:
		e.u32(1)
		e.byte(byte(in.Index))
	}
}

// memory writes the immediates of what uses the memory, and of SIMD instructions.
func (e *encoder) memory(in *Instr, s shape, f *Func) {
	switch s {
	case shapeMem, shapeMemLane:
		e.u32(uint32(in.Align))
		e.u32(uint32(in.Imm))
	case shapeMemory:
		e.byte(0)
	case shapeMemoryInit:
		e.u32(in.Index)
		e.byte(0)
	case shapeMemoryCopy:
		e.byte(0)
		e.byte(0)
	case shapeV128, shapeShuffle:
		e.out = append(e.out, f.Vectors[in.Index][:]...)
	}
	if s == shapeLane || s == shapeMemLane {
		e.byte(in.Lane)
	}
}
