"""Projects: a folder that holds what was decided and made of one source, in all languages.

``open_project`` what programs call · ``project_folder`` the folder and its files · ``plan_file`` plans as files that
people edit · ``takes`` the takes of lines · ``make_plan`` the plan of a language · ``make_takes`` what is missing is
made · ``status`` what there is.
"""
