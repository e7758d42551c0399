"""The admin's theme (django-unfold)."""

UNFOLD = {
    "SITE_TITLE": "Billing and booking services",
    "SITE_HEADER": "Services",
    "SITE_SUBHEADER": "All days and times are UTC",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "common.admin.dashboard.icon"},
    ],
    "STYLES": ["common.admin.dashboard.stylesheet"],
    # The blue of the other pages (base.css), from light to dark.
    "COLORS": {
        "primary": {
            "50": "oklch(97.3% .012 252)",
            "100": "oklch(94% .028 252)",
            "200": "oklch(88.5% .055 252)",
            "300": "oklch(81% .09 252)",
            "400": "oklch(72% .115 252)",
            "500": "oklch(66% .13 252)",
            "600": "oklch(50.5% .13 254)",
            "700": "oklch(44.5% .12 254)",
            "800": "oklch(38.5% .1 254)",
            "900": "oklch(33% .08 255)",
            "950": "oklch(25% .06 256)",
        },
    },
    "DASHBOARD_CALLBACK": "common.admin.dashboard.dashboard_callback",
    "SIDEBAR": {"show_search": True, "navigation": "common.admin.dashboard.navigation"},
}
