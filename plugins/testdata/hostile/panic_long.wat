;; Panics with 15 MiB to say.
(import "aviary" "panic" (func $panic (param i32 i32 i32 i32 i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (memory.fill (i32.const 131072) (i32.const 0x0a) (i32.const 15728640))
  (call $panic (i32.const 131072) (i32.const 15728640) (i32.const 131072) (i32.const 15728640) (i32.const -1))
  (unreachable))
