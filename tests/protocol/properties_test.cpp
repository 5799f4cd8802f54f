#include "protocol/properties.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

std::vector<message_property> all_of(std::string_view text) {
    std::vector<message_property> found;
    for (const message_property& property : properties_view{text})
        found.push_back(property);
    return found;
}

using properties = std::vector<message_property>;

TEST(Properties, LastSeparatorMayBeMissing) {
    EXPECT_EQ(all_of("a\x01"
                     "b\x02"
                     "c\x01"
                     "d"),
              (properties{{"a", "b"}, {"c", "d"}}));
    EXPECT_EQ(all_of("a\x01"
                     "b\x02"
                     "c\x01"
                     "d\x02"),
              (properties{{"a", "b"}, {"c", "d"}}));
}

TEST(Properties, PiecesThatAreNoneAreSkipped) {
    EXPECT_EQ(all_of(""), properties{});
    EXPECT_EQ(all_of("\x02\x02"), properties{});
    EXPECT_EQ(all_of("abc"), properties{}); // no separator
    EXPECT_EQ(all_of("\x01"
                     "bc"),
              properties{});                   // no name
    EXPECT_EQ(all_of("ab\x01"), properties{}); // no value
    EXPECT_EQ(all_of("a\x01"), properties{});  // under three characters
    EXPECT_EQ(all_of("abc\x02"
                     "x\x01"
                     "y"),
              (properties{{"x", "y"}}));
    EXPECT_EQ(all_of("x\x01"
                     "y\x01"
                     "z"),
              (properties{{"x", "y\x01"
                                "z"}})); // split at the first
}

TEST(Properties, FindTakesTheLast) {
    EXPECT_EQ(find_property("a\x01"
                            "1\x02"
                            "b\x01"
                            "2\x02"
                            "a\x01"
                            "3",
                            "a"),
              "3");
    EXPECT_EQ(find_property("a\x01"
                            "1\x02",
                            "A"),
              std::nullopt);
    EXPECT_EQ(find_property("", "a"), std::nullopt);
}

TEST(Properties, AppendInsertsTheMissingSeparator) {
    std::string text = "a\x01"
                       "b";
    append_property(text, "CLUSTER", "c");
    EXPECT_EQ(text, "a\x01"
                    "b\x02"
                    "CLUSTER\x01"
                    "c\x02");
    append_property(text, "x", "y");
    EXPECT_EQ(text, "a\x01"
                    "b\x02"
                    "CLUSTER\x01"
                    "c\x02"
                    "x\x01"
                    "y\x02");
    std::string empty;
    append_property(empty, "x", "y");
    EXPECT_EQ(empty, "x\x01"
                     "y\x02");
}

TEST(Properties, WithoutTakesEveryOneOut) {
    EXPECT_EQ(without_property("WAIT\x01"
                               "true\x02"
                               "a\x01"
                               "b\x02"
                               "WAIT\x01"
                               "x",
                               "WAIT"),
              "a\x01"
              "b\x02");
    EXPECT_EQ(without_property("WAITER\x01"
                               "true",
                               "WAIT"),
              "WAITER\x01"
              "true");
    EXPECT_EQ(without_property("", "WAIT"), "");
}

TEST(Properties, NamesAndValuesAreChecked) {
    EXPECT_TRUE(check_property("name", "value"));
    for (const auto& [name, value] : {std::pair<std::string, std::string>{"", "v"},
                                      {"n", ""},
                                      {"n\x01", "v"},
                                      {"n\x02", "v"},
                                      {"n", "v\x01"},
                                      {"n", "\x02v"}}) {
        const auto checked = check_property(name, value);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.failure().code, errc::invalid_argument);
    }
}

// T20: what counts is the size after the broker's additions.
TEST(Properties, T20SizeIncludesTheBrokersAdditions) {
    const std::string text(32767 - 10, 'x');
    EXPECT_TRUE(check_properties_size(text, 10));
    const auto over = check_properties_size(text, 11);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.failure().code, errc::too_large);
    EXPECT_NE(over.failure().message.find("32767"), std::string::npos);
}

TEST(Properties, PropertyBytesAreEnough) {
    std::string text = "a\x01"
                       "b";
    const std::size_t before = text.size();
    append_property(text, "name", "value");
    EXPECT_EQ(text.size() - before, property_bytes("name", "value"));
}

TEST(Properties, RoundTrip) {
    random_source random{5};
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::pair<std::string, std::string>> pairs;
        std::string text;
        for (auto count = random.between(0, 10); count > 0; --count) {
            pairs.emplace_back(std::to_string(count) + "n", random.plain(6) + "漢");
            append_property(text, pairs.back().first, pairs.back().second);
        }
        if (!text.empty() && random.one_in(2))
            text.pop_back();
        const auto found = all_of(text);
        ASSERT_EQ(found.size(), pairs.size());
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            EXPECT_EQ(found[i].name, pairs[i].first);
            EXPECT_EQ(find_property(text, pairs[i].first), pairs[i].second);
        }
    }
}

} // namespace
} // namespace holdfast::protocol
