;; A response of 64 zeros at 0: it has no header.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x0000000000000040))
