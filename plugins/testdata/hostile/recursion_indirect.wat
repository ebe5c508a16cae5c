;; Calls that never return, through a table.
(type $down (func (param i32) (result i32)))
(table 1 1 funcref)
(elem (i32.const 0) $down)
(func $down (type $down)
  (i32.add (call_indirect (type $down) (i32.add (local.get 0) (i32.const 1)) (i32.const 0)) (i32.const 1)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (call $down (i32.const 0)))
  (unreachable))
