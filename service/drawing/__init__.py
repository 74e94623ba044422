"""What people look at: maps and certified regions over the photo, charts, the auditor's page.

Start with `gallery` (which pictures there are); `pictures` lays one out, `report` writes the page.
"""
