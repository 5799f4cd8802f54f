#include "client/offset_file.hpp"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace holdfast::client {
namespace {

class offset_file_in_a_directory : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "holdfast-offsets-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string content() const {
        std::ifstream in{directory_ / "G.offsets", std::ios::binary};
        std::ostringstream text;
        text << in.rdbuf();
        return text.str();
    }
    void overwrite(const std::string& text) const {
        std::ofstream{directory_ / "G.offsets", std::ios::binary | std::ios::trunc} << text;
    }

    std::filesystem::path directory_;
    const offset_file::offsets some_{{{"T", "b", queue_number{0}}, queue_offset{17}},
                                     {{"%RETRY%G", "b", queue_number{3}}, queue_offset{9'000'000'000}}};
};

TEST_F(offset_file_in_a_directory, begins_empty_and_reads_what_was_saved) {
    {
        auto file = offset_file::open(directory_ / "deeper", "G");
        ASSERT_TRUE(file.ok());
        EXPECT_TRUE(file->loaded().empty());
        ASSERT_TRUE(file->save({{{"T", "b", queue_number{0}}, queue_offset{1}}}).ok());
        ASSERT_TRUE(file->save(some_).ok());
    }
    auto again = offset_file::open(directory_ / "deeper", "G");
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->loaded(), some_);
}

TEST_F(offset_file_in_a_directory, belongs_to_one_consumer_at_a_time) {
    auto first = offset_file::open(directory_, "G");
    ASSERT_TRUE(first.ok());
    const auto second = offset_file::open(directory_, "G");
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.failure().code, errc::unavailable);
}

TEST_F(offset_file_in_a_directory, takes_no_damaged_file_for_an_empty_one) {
    {
        auto file = offset_file::open(directory_, "G");
        ASSERT_TRUE(file->save(some_).ok());
    }
    const std::string good = content();
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string flipped = good;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        overwrite(flipped);
        const auto opened = offset_file::open(directory_, "G");
        ASSERT_FALSE(opened.ok()) << "byte " << at << " flipped";
        EXPECT_EQ(opened.failure().code, errc::corrupted);
        overwrite(good.substr(0, at));
        EXPECT_FALSE(offset_file::open(directory_, "G").ok()) << "cut at " << at;
    }
    overwrite(good);
    EXPECT_TRUE(offset_file::open(directory_, "G").ok());
}

TEST_F(offset_file_in_a_directory, says_what_is_missing) {
    const auto nameless = offset_file::open({}, "G");
    ASSERT_FALSE(nameless.ok());
    EXPECT_NE(nameless.failure().message.find("offset_directory"), std::string::npos);
}

} // namespace
} // namespace holdfast::client
