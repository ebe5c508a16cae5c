;; Two to the 60 calls without a loop, and never more than 60 deep.
(func $twice (param $n i32) (result i32)
  (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
  (i32.add
    (call $twice (i32.sub (local.get $n) (i32.const 1)))
    (call $twice (i32.sub (local.get $n) (i32.const 1)))))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (call $twice (i32.const 60)))
  (unreachable))
