;; Calls an entry of its table that is null.
(table 1 funcref)
(func $attack (param $req i32) (param $len i32) (result i64)
  (call_indirect (i32.const 0))
  (unreachable))
