;; Fills and copies a table as large as it gets, for ever.
(table $t 60000 60000 funcref)
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (table.fill $t (i32.const 0) (ref.null func) (i32.const 60000))
    (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 59999))
    (br $again))
  (unreachable))
