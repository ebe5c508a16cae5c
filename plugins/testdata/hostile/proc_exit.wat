;; Would end the process.
(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (call $proc_exit (i32.const -1))
  (unreachable))
