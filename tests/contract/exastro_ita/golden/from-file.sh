curl -X POST \
"http://servername/api/organization_1/workspaces/workspace_1/ita/menu/playbook_files/maintenance/all/" \
-H "Authorization: Basic dXNlcl9pZDpwYXNzd29yZA==" \
-H "Content-Type: application/json" \
-d @playbook_files_sample.json
