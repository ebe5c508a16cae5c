;; A response of -1 bytes.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x00020000ffffffff))
