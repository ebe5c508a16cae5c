;; Traps in the middle of a response, with a new state half written.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.store offset=0 (local.get $req) (i64.const 0x2010040)) ;; reply, state given
  (i64.store offset=40 (local.get $req) (i64.const 0x1000000040))
  (i32.store (i32.const 0) (i32.div_u (i32.const 1) (i32.const 0)))
  (unreachable))
