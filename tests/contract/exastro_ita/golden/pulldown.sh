BASEURL="https://servername"
ORGANAIZATION_ID="オーガナイゼーションID"
WORKSPACE_ID="ワークスペースID"
MENU="対象メニュー"
USERNAME="ユーザー名"
PASSWORD="パスワード"
BASE64_BASIC=$(echo -n "ユーザー名を設定してください:パスワードを設定してください" | base64)

curl -X GET \
  "${BASEURL}/api/${ORGANAIZATION_ID}/workspaces/${WORKSPACE_ID}/ita/menu/${MENU}/info/pulldown/" \
  -H "Authorization: Basic ${BASE64_BASIC}" \
