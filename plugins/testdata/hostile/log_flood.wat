;; As many lines of a KiB as there is fuel for, at every level.
(import "aviary" "log" (func $log (param i32 i32 i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0x78) (i32.const 1024))
  (loop $again
    (call $log (i32.const 0) (i32.const 131072) (i32.const 1024))
    (call $log (i32.const 3) (i32.const 131072) (i32.const 1024))
    (br $again))
  (unreachable))
