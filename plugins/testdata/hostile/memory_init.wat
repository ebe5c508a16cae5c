;; Copies a data segment, for ever, and one byte past its end.
(data $d "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (memory.init $d (i32.const 131072) (i32.const 0) (i32.const 256))
    (br_if $again (i32.load (i32.const 131072))))
  (unreachable))
