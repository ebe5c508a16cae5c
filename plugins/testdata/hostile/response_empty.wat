;; A response of nothing, nowhere.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0xffffffff00000000))
