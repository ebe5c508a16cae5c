;; code_change never ends; handle_in is good.
(func $code_change (export "code_change") (param i32 i32) (result i64)
  (loop $again (br $again))
  (unreachable))
(func $attack (param $req i32) (param $len i32) (result i64)
  (call $echo (local.get $req) (local.get $len)))
