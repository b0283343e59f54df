"""Texts of messages: what the vendor says of records and of runs, in Japanese and in English (contract section 3.6)."""

# ruff: noqa: RUF001 - Japanese has brackets of its own

from __future__ import annotations

from collections.abc import Mapping

#: By message id; braces are for values.
MESSAGES: Mapping[str, tuple[str, str]] = {
    "MSG-00001": ("ID変換失敗({})", "Failed to exchange ID. ({})"),
    "MSG-00002": ("値の形式({})が不正です。(入力値:{})", "The value format ({}) is invalid.( input value: {})"),
    "MSG-00003": (
        "有効な値の範囲対象外です。(最小値:{},最大値:{},入力値:{})",
        "Out of range of valid values. (Minimum value: {}, Maximum value: {}, Input value: {})",
    ),
    "MSG-00004": ("(個別チェック)", "Individual check"),
    "MSG-00005": (
        "別セッションからレコードが更新されたため、処理を中止しました。(対象ID:{})",
        "Processing was canceled because the record was updated from another session. (Target ID: {})",
    ),
    "MSG-00006": (
        "組み合わせが不正です。(組み合わせ:{},対象ID:{})",
        "The combination is incorrect. (Combination: {}, Target ID: {})",
    ),
    "MSG-00007": ("対象のレコードが存在しません(対象ID:{})", "Target record does not exist (target ID: {})"),
    "MSG-00008": (
        "文字長エラー (閾値:値<={}byte, 値:{}byte)",
        "Character length error (threshold:Value<={}byte, Value:{}byte)",
    ),
    "MSG-00009": ("正規表現エラー ({},値:{})", "Regular expression error ({},Value:{})"),
    "MSG-00010": ("バイト数超過 (閾値:{},値:{})", "Byte count exceeded (Threshold:{},Value:{})"),
    "MSG-00011": ("fileのbase64デコードに失敗しました。", "Failed to base64 decode file."),
    "MSG-00012": ("{}のbase64文字列がありません。", "No base64 string for {}."),
    "MSG-00013": ("ファイルパスの取得エラー", "Error getting file path"),
    "MSG-00014": ("シンボリックリンク削除エラー old_file_path:{}", "Symbolic link deletion error old_file_path:{}"),
    "MSG-00015": (
        "シンボリックリンク作成エラー old_dir_path:{}, dir_path:{}",
        "Symbolic link creation error old_dir_path:{}, dir_path:{}",
    ),
    "MSG-00016": ("削除エラー old_dir_path:{}", "Deletion error old_dir_path:{}"),
    "MSG-00017": (
        "シンボリックリンク再生成エラー old_dir_path:{}",
        "Symbolic link re-creation error old_dir_path:{}",
    ),
    "MSG-00018": (
        "上限桁数を超えています。(上限:値<={}, 値:{})",
        "Upper digit count exceeded (Upper:Value<={}, Value:{}).",
    ),
    "MSG-00019": (
        "入力範囲対象外です。(最小値:{},最大値:{},入力値:{})",
        "Out of the input range. (Minimum value: {}, Maximum value: {}, Input value: {})",
    ),
    "MSG-00020": (
        "最小値以下です。(最小値:{},入力値:{})",
        "Less than or equal to the minimum value (minimum value: {}, input value: {})",
    ),
    "MSG-00021": (
        "最大値以上です。(最大値:{},入力値:{})",
        "Greater than or equal to the maximum value (maximum value: {}, input value: {})",
    ),
    "MSG-00022": ("禁止拡張子(閾値:{},値:{})", "Prohibited extensions (threshold:{},value:{})."),
    "MSG-00023": (
        "対象のレコードが廃止済みのため、処理を中止しました。(対象ID{})",
        "Processing has been canceled because the target record has been deprecated. (Target ID {})",
    ),
    "MSG-00024": ("必須項目が不足しています({})", "Missing required items ({})"),
    "MSG-00025": (
        "他レコードと重複しています。(対象ID:{},値:{})",
        "It is duplicated with other records. (Target ID: {}, Value: {})",
    ),
    "MSG-00026": (
        "使用可能な項目以外が含まれています。({})",
        "Contains items other than those that can be used.({})",
    ),
    "MSG-00027": ("実行種別が不正です。({})", "The execution type is invalid.({})"),
    "MSG-00028": ("最終更新日時が不正です。({})", "last_update_date_time is invalid ({})"),
    "MSG-00029": ("入力パラメータのキーが不正です。({})", "The input parameter key is invalid. ({})"),
    "MSG-00030": ("必須項目です。", "Required fields."),
    "MSG-00031": ("整数値ではありません。(入力値:{})", "Not an integer value.( input value: {})"),
    "MSG-00032": ("利用できない値です。(入力値:{})", "The input value is an invalid value.(input value:{})"),
    "MSG-00033": (
        "暗号化を中止しました。対象ファイルを確認してください。({})",
        "Aborted encryption. Check the target file. ({})",
    ),
    "MSG-00034": ("検索オプションは({})から指定してください。({})", "Specify search options from ({}).({})"),
    "MSG-00035": ("検索条件を指定してください。({})", "Specify a search condition. ({})"),
    "MSG-10232": (
        "認証方式がパスワード認証の場合、ログインパスワードは必須項目です。",
        "If the authentication method is set to password authentication, the login password is a required item.",
    ),
    "MSG-10233": (
        "認証方式が鍵認証(パスフレーズなし)の場合、秘密鍵ファイル(id_rsa)は必須項目です。",
        "If the authentication method is set to key authentication (no passphrase), the private key file (id_"
        "rsa) is a required item.",
    ),
    "MSG-10234": (
        "認証方式が鍵認証(パスフレーズあり)の場合、秘密鍵ファイル(id_rsa)は必須項目です。",
        "If the authentication method is set to key authentication (with passphrase), the private key file (i"
        "d_rsa) is a required item.",
    ),
    "MSG-10235": (
        "認証方式が鍵認証(パスフレーズあり)の場合、パスフレーズは必須項目です。",
        "If the authentication method is set to key authentication (with passphrase), the passphrase is a req"
        "uired item.",
    ),
    "MSG-10239": ("ログインユーザーIDが未入力です。", "The login user ID has not been entered."),
    "MSG-10638": ("UTF-8以外の文字コードが使用されています。", "A character code other than UTF-8 is used."),
    "MSG-10640": ("BOM付きファイルは扱えません。", "File with BOM cannot be used."),
    "MSG-10879": (
        "ホスト名が不正です。数値のホスト名は設定出来ません。",
        "Host name is invalid. Numerical host names cannot be set.",
    ),
    "MSG-10887": (
        "インベントリファイル追加オプションのYAML解析で想定外のエラーが発生しました。(エラー詳細:{})",
        "An unexpected error occurred in YAML parsing of Inventory file Additional option. (Error details:{})",
    ),
    "MSG-10905": (
        "Playbook素材がYAML形式で記述されているか確認して下さい。(Playbook素材:{})",
        "Check if the playbook is written in YAML format. (playbook:{})",
    ),
    "MSG-10941": (
        "証明書認証(winrm)の場合、winrm公開鍵ファイルは必須項目です。",
        "For certificate authentication (winrm), the winrm public key file is a required item.",
    ),
    "MSG-10942": (
        "証明書認証(winrm)の場合、winrm秘密鍵ファイルは必須項目です。",
        "For certificate authentication (winrm), the winrm private key file is a required item.",
    ),
    "MSG-40001": (
        "予約取消を受け付けました。ステータスをご確認下さい。(ConductorインスタンスID:{})",
        "We have received your reservation cancellation. Please check your status. (Conductor instance ID: {})",
    ),
    "MSG-40002": (
        "緊急停止を受け付けました。ステータスをご確認下さい。(ConductorインスタンスID.:{})",
        "I received an emergency stop. Please check your status. (Conductor instance ID.:{})",
    ),
    "MSG-40003": (
        "一時停止解除を受け付けました。ステータスをご確認下さい。(ConductorインスタンスID:{},ノードインスタンスID:{})",
        "We have received the cancellation of the temporary suspension. Please check your status. (Conductor "
        "instance ID:{}, Node instance ID:{})",
    ),
    "MSG-40012": (
        "「Conductor Call」無限ループが発生する為、実行できません。",
        "Conductor Call cannot be executed because an infinite loop occurs.",
    ),
    "MSG-40013": (
        "選択された値が、存在しません。値を確認してください",
        "The selected value does not exist. check the value",
    ),
    "MSG-40018": (
        "不正なConductorが選択されました。Conductor一覧を確認してください。(ID:{},名称:{})",
        "Incorrect Conductor selected. Check the Conductor list. (ID:{},Name:{})",
    ),
    "MSG-40027": (
        "[error] Conductor call: Conductorの実行に失敗しました。(ConductorクラスID:{},オペレーションID:{})",
        "[error] Conductor call: Failed to execute Conductor. (Conductor class ID: {}, operation ID: {})",
    ),
    "MSG-40029": ("開始日付と終了日付は違う値を入力する必要があります", "Start date and end date must be different"),
    "MSG-40030": ("開始日付は終了日付よりも過去である必要があります", "Start date must be earlier than end date"),
    "MSG-40031": (
        "間隔の値が不正です(1～99までの半角数字のみ有効)",
        "Invalid interval value(Only single-byte numbers from 1 to 99 are valid)",
    ),
    "MSG-40032": ("週番号を選択する必要があります", "Week number is required"),
    "MSG-40033": ("曜日を選択する必要があります", "Day of week is required"),
    "MSG-40034": ("日を入力する必要があります", "Day is required"),
    "MSG-40035": (
        "日の値が不正です(1～31までの半角数字のみ有効)",
        "Invalid day value(Only half-width numbers from 1 to 31 are valid)",
    ),
    "MSG-40036": ("時間を入力する必要があります", "Time is required"),
    "MSG-40037": (
        "時間の値が不正です(hh:mm:ss形式の正式な時間のみ有効)",
        "Invalid time value(Valid only for official time in 'hh: mm: ss' format)",
    ),
    "MSG-40038": ("入力不要の項目です({})", "Items that do not require input ({})"),
    "MSG-40039": (
        "作業停止期間は開始と終了は違う値を入力する必要があります",
        "Start date and end date for suspention period must be different",
    ),
    "MSG-40040": (
        "作業停止期間の開始は終了よりも過去である必要があります",
        "The start of the suspension period must be earlier the end",
    ),
    "MSG-40041": (
        "作業停止期間は開始と終了両方入力する必要があります",
        "Suspension period must be entered for both start and end",
    ),
    "MSG-70001": (
        "選択したホストグループの親子関係が、ループしています。",
        "The parent-child relationship of the selected host group is looping.",
    ),
    # Ours: the vendor deletes playbooks that Movements still have.
    "playbook-in-use": ("使用されているため削除できません。({})", "It cannot be deleted because it is in use. ({})"),
}
