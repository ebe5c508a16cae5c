;; Reads past its memory.
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (i64.load offset=4294967295 (i32.const -1)))
  (unreachable))
