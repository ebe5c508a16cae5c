;; Two functions that call each other through a table, twice each: exponential, and no call is direct.
(type $f (func (param i32) (result i32)))
(table 2 2 funcref)
(elem (i32.const 0) $even $odd)
(func $even (type $f)
  (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
  (i32.add
    (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))
    (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))))
(func $odd (type $f)
  (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
  (i32.add
    (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
    (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (call $even (i32.const 60)))
  (unreachable))
