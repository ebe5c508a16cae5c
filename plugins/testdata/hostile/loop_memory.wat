;; A loop that writes, which no compiler can leave out.
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (i32.store (i32.const 131072) (i32.add (i32.load (i32.const 131072)) (i32.const 1)))
    (br $again))
  (unreachable))
