"""Texts of results: what the vendor says for each result code, in Japanese and in English (contract section 3.6)."""

from __future__ import annotations

from collections.abc import Mapping

#: By result code; braces are for values.
RESULTS: Mapping[str, tuple[str, str]] = {
    "400-00001": ("リクエストヘッダーのパラメータ({})が不正です", "Request-Header Paramater({}) is Invalid"),
    "400-00002": ("リクエストボディのパラメータ({})が不正です", "Request-Body Paramater({}) is Invalid"),
    "400-00003": (
        "リクエストボディのパラメータが不正です (Content-Type:{})",
        "Request-Body Paramater is Invalid (Content-Type: {})",
    ),
    "401-00001": (
        "対象のメニューに対するアクセス権限がありません。(menu: {})",
        "You do not have access privileges to the target menu. (menu: {})",
    ),
    "401-00003": (
        "対象メニューの紐付設定が不正です。(menu: {})",
        "The linking setting of the target menu is invalid. (menu: {})",
    ),
    "498-00001": (
        "メンテナンス中のため、データの登録・更新は行うことができません。",
        "Data cannot be registered or updated due to maintenance.",
    ),
    "498-00005": (
        "メンテナンス中のため、Conductorの登録・更新を行うことができません。",
        "Due to maintenance, you cannot register or update Conductor.",
    ),
    "498-00006": (
        "メンテナンス中のため、Conductor作業実行を行うことができません。",
        "Due to maintenance, you cannot Conductor executed.",
    ),
    "498-00007": (
        "メンテナンス中のため、予約取消を行うことができません。",
        "Reservations cannot be canceled due to maintenance.",
    ),
    "498-00008": (
        "メンテナンス中のため、緊急停止を行うことができません。",
        "Emergency stop cannot be performed due to maintenance.",
    ),
    "498-00009": (
        "メンテナンス中のため、一時停止解除を行うことができません。",
        "Unable to unpause due to maintenance.",
    ),
    "498-00010": (
        "メンテナンス中のため、作業実行を行うことができません。",
        "Execution cannot be performed due to maintenance.",
    ),
    "499-00001": ("[menu]が不正です。(menu: {})", "[menu] is invalid. (menu: {})"),
    "499-00002": (
        "『メニュー管理』に対象のメニューが存在しません。(menu: {})",
        'The target menu does not exist in "Menu list". (menu: {})',
    ),
    "499-00003": (
        "『メニュー-テーブル紐付管理』に対象のメニューが存在しません。(menu: {})",
        'The target menu does not exist in "Menu Table list".(menu: {})',
    ),
    "499-00004": (
        "『メニューグループ管理』に対象のメニューが所属するグループが存在しません。(menu: {})",
        'The group to which the target menu belongs does not exist in "Menu Group list"(menu: {})',
    ),
    "499-00005": (
        "『メニュー-カラム紐付管理』に対象のメニューが存在しません。(menu: {})",
        'The target menu does not exist in "Menu Column list". (menu: {})',
    ),
    "499-00006": (
        "『メニュー-カラム紐付管理』に対象のメニューもしくはカラムが存在しません。(メニュー: {}、カラム: {})",
        'The target menu or column does not exist in "Menu Column list". (menu: {}、column: {})',
    ),
    "499-00007": (
        "対象のメニューに対象のカラムが存在しません。(メニュー: {}, カラム: {})",
        "The target column does not exist in the target menu.(menu: {}, column: {})",
    ),
    "499-00008": ("[target]が不正です。(target: {})", "[target] is invalid.(target: {})"),
    "499-00009": ("[column]が不正です。(column: {})", "[column] is invalid.(column: {})"),
    "499-00010": (
        "[menu][column]が不正です。(menu: {}, column: {})",
        "[menu][column] is invalid.(menu: {}, column: {})",
    ),
    "499-00101": ("{}:RANGEでの検索は行えません。", "{}:Search by RANGE is not possible."),
    "499-00102": ("履歴のIDの入力が不正です。", "履歴のIDの入力が不正です。"),
    "499-00201": ("{}", "{}"),
    "499-00222": (
        "ファイルをアップロードできません。ディスクの空き容量が不足しています。(ファイルサイズ:{})",
        "Unable to upload the file. The disk does not have enough free space. (File size:{})",
    ),
    "499-00223": ("一度に操作できるレコード数の上限({})を超えました。", "Maximum({}) number of rows exceeded."),
    "499-00601": ("バージョン情報の取得に失敗しました", "Failed to get version information"),
    "499-00801": ("入力パラメータのフォーマットが不正です。", "The format of the input parameter is invalid."),
    "499-00802": ("ConductorクラスIDの値が不正です。(ID:{})", "The Conductor Class ID value is invalid. (ID: {})"),
    "499-00803": (
        "Conductor作業実行に失敗しました。(ConductorクラスID:{}, オペレーションID:{},予約日時:{})",
        "Conductor work execution failed. (conductor_class_id:{}, operation_id:{},schedule_date:{})",
    ),
    "499-00804": (
        "Conductor作業実行の登録処理に失敗しました。(ConductorクラスID:{}, オペレーションID:{},予約日時:{})",
        "Failed to register Conductor work execution. (conductor_class_id:{}, operation_id:{},schedule_date:{})",
    ),
    "499-00805": (
        "Conductor作業確認用の基本情報の取得に失敗しました。(ConductorインスタンスID:{})",
        "Failed to acquire basic information for Conductor work confirmation. (Conductor instance ID: {})",
    ),
    "499-00806": (
        "Conductor作業情報の取得に失敗しました。(ConductorインスタンスID:{})",
        "Failed to get Conductor work information. (Conductor instance ID: {})",
    ),
    "499-00807": (
        "Conductorの作業に対する処理を中断しました。(処理:{},ConductorインスタンスID:{},NodeインスタンスID:{})",
        "Processing for Conductor work has been suspended. (Process: {}, Conductor instance ID: {}, Node inst"
        "ance ID: {})",
    ),
    "499-00808": (
        "未実行(予約)ではありません。(ConductorインスタンスID:{}, ステータス:{})",
        "It is not unexecuted (reserved). (Conductor instance ID:{}, status:{})",
    ),
    "499-00809": (
        "緊急停止を実行可能なステータスではありません。(ConductorインスタンスID:{}, ステータス:{})",
        "It is not a status in which an emergency stop can be executed. (Conductor instance ID:{}, status:{})",
    ),
    "499-00810": (
        "緊急停止発令済みです。(ConductorインスタンスID:{}, ステータス:{}:)",
        "An emergency stop has been issued. (Conductor instance ID:{}, Status:{}:)",
    ),
    "499-00811": (
        "指定された対象がpauseではありません。(ConductorインスタンスID:{},NodeインスタンスID:{},ノード種別:{})",
        "Specified target is not pause. (Conductor instance ID: {}, Node instance ID: {}, Node type: {})",
    ),
    "499-00812": (
        "一時停止解除済みです。(ConductorインスタンスID:{},NodeインスタンスID:{})",
        "Suspension has been canceled. (Conductor instance ID: {}, Node instance ID: {})",
    ),
    "499-00813": (
        "一時停止中ではありません。(ConductorインスタンスID:{},NodeインスタンスID:{},ステータス:{})",
        "Not paused. (Conductor instance ID: {}, Node instance ID: {}, Status: {})",
    ),
    "499-00814": (
        "指定した条件では作業実行できません。作業条件を確認してください。({})",
        "The operation cannot be executed under the specified conditions. Check working conditions. ({})",
    ),
    "499-00815": (
        "ダウンロードできるファイルが存在していません。(ConductorインスタンスID:{})",
        "There are no files available for download. (Conductor instance ID: {})",
    ),
    "499-01901": (
        "Conductorクラス名が指定されていません。(conductor_class_id:{})",
        "No Conductor Class name is specified. (conductor_class_id:{})",
    ),
    "499-01902": (
        "パラメータ情報の型が不正です。(menu:{}, type:{})",
        "The parameter information type is invalid.(menu:{}, type:{})",
    ),
    "499-01903": (
        "必須項目(type, parameter)が不足しています(menu:{})",
        "A required item(type, parameter)is not filled in.(menu:{})",
    ),
    "499-01904": (
        "レコードの操作種別にはRegister/Update/Restore/Discardのいずれかを指定してください。(menu:{}, type:{})",
        "Records must have one of the following operation types specified to them: Register/Update/Restore/Di"
        "scard.(menu:{}, type:{})",
    ),
    "499-01905": (
        "既存のオペレーション名を指定しない場合は、parameter_infoの指定が必須となります。",
        "If no existing operation name is specified, 'parameter_info' must be specified.",
    ),
    "499-01701": (
        'JSONリスト形式である必要があります。\n例\n["value1", "value2"]',
        'Must be in JSON list format.\ne.g.\n["value1", "value2"]',
    ),
    "999-99999": ("システムエラー", "System Error"),
    # These have two meanings: here they are what is said behind the log-in, below what is said at it.
    "401-00002": (
        "対象のメニューに対する{}の操作の権限がありません。(menu: {})",
        "You do not have permission to operate {} on the target menu. (menu: {})",
    ),
    "platform-401-00002": ("認証に失敗しました。", "Certification failed."),
    "403-00001": ("permission error", "Permission error"),
    # Our own: the vendor has no codes for these.
    "web-403-00001": ("permission error ({})", "Permission error ({})"),
    "404-00001": ("対象が存在しません。({})", "There is nothing here. ({})"),
    "405-00001": ("使用できないメソッドです。({})", "This method is not possible here. ({})"),
    "408-00001": ("リクエストの受信がタイムアウトしました。({})", "The request has not arrived in time. ({})"),
    "409-00001": ("現在の状態では処理できません。({})", "This contradicts what is stored. ({})"),
    "413-00001": ("リクエストが大きすぎます。({})", "The request is too large. ({})"),
    "reason": ("{1}", "{0}"),  # see ``reasons``
    "503-00001": ("現在利用できません。({})", "This is not available for now. ({})"),
}
