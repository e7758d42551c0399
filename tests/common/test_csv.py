import csv
import io

import pytest

from common.api.csv_renderer import Table, write_csv


def written(value):
    (_, [cell]) = csv.reader(io.StringIO(write_csv(Table("t", ["type"], [{"type": value}]))))
    return cell


class TestCSV:
    def test_text_is_quoted_as_rfc_4180_says(self):
        rows = [{"type": 'a "b", c\nd', "count": 1}]

        assert write_csv(Table("t", ["type", "count"], rows)) == (
            'type,count\r\n"a ""b"", c\nd",1\r\n'
        )

    @pytest.mark.parametrize("text", ["A", "", "SMS 1", "a=1", "'", "é", "1-2"])
    def test_ordinary_text_is_unchanged(self, text):
        assert written(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n1",
            "\tA",
            " =1",
            "＝1",
            "－1",
            "\u00a0=1",
        ],
    )
    def test_a_formula_gets_an_apostrophe_in_front(self, text):
        assert written(text) == f"'{text}"

    def test_negative_numbers_are_unchanged(self):
        assert written(-1) == "-1"
