#include "protocol/recall_handle.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(recall_handle, is_base64url_of_its_five_words) {
    const recall_handle handle{"T", "broker-a", timestamp_ms{1700000000000}, "AC11000118B4AAC2"};
    const auto text = make_recall_handle(handle);
    EXPECT_EQ(text, "djEgVCBicm9rZXItYSAxNzAwMDAwMDAwMDAwIEFDMTEwMDAxMThCNEFBQzI");
    ASSERT_TRUE(parse_recall_handle(text).ok());
    EXPECT_EQ(*parse_recall_handle(text), handle);
    EXPECT_EQ(*parse_recall_handle(text + "="), handle);
}

TEST(recall_handle, anything_else_is_refused) {
    for (const auto* const text : {"", "djEg", "!!!!", "djIgVCBiIDEga2V5", "djEgVCBiIHggaw"})
        EXPECT_FALSE(parse_recall_handle(text).ok()) << text;
    EXPECT_FALSE(parse_recall_handle(std::string(5000, 'A')).ok());
}

} // namespace
} // namespace holdfast::protocol
