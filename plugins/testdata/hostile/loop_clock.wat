;; Waits for a clock that never gets there.
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 131072)))
    (br_if $again (i64.ne (i64.load (i32.const 131072)) (i64.const 1))))
  (unreachable))
