#include "broker/transaction_table.hpp"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace holdfast::broker {
namespace {

struct model_half {
    std::string group;
    std::uint32_t checks = 0;
};

class table_against_model {
  public:
    explicit table_against_model(std::uint32_t seed) : random_(seed) {}

    void add() {
        position_ = position_ + 1U + random_() % 1'000;
        half_message half;
        half.position = position_;
        const auto group = "producers_" + std::to_string(random_() % 3);
        EXPECT_EQ(*table_.add(std::move(half), group).group, group);
        model_[position_] = {group, 0};
    }

    void remove_one() {
        const auto at = anywhere();
        table_.remove(at->first);
        model_.erase(at);
    }

    void check_one() {
        const auto at = anywhere();
        table_.checked(at->first, timestamp_ms{77});
        ++at->second.checks;
    }

    void compare() {
        ASSERT_EQ(table_.size(), model_.size());
        ASSERT_EQ(table_.oldest(), model_.empty() ? std::nullopt : std::optional{model_.begin()->first});
        const log_position first{random_() % (position_.value() + 2)};
        auto expected = model_.lower_bound(first);
        table_.walk(first, [&](const half_message& half) {
            EXPECT_NE(expected, model_.end());
            EXPECT_EQ(half.position, expected->first);
            EXPECT_EQ(*half.group, expected->second.group);
            EXPECT_EQ(half.checks, expected->second.checks);
            EXPECT_EQ(table_.find(half.position), &half);
            return ++expected != model_.end();
        });
        EXPECT_EQ(expected, model_.end());
        EXPECT_EQ(table_.find(first) != nullptr, model_.contains(first));
    }

    [[nodiscard]] bool is_empty() const { return model_.empty(); }
    [[nodiscard]] std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>(random_() % limit);
    }

  private:
    std::map<log_position, model_half>::iterator anywhere() {
        return std::next(model_.begin(), static_cast<std::ptrdiff_t>(random_() % model_.size()));
    }

    std::mt19937 random_;
    transaction_table table_;
    std::map<log_position, model_half> model_;
    log_position position_{0};
};

// Grows to a few hundred and shrinks to nothing, again and again, so that its parts fill up, become small in
// their middles, are joined and disappear.
TEST(transaction_table, is_a_sorted_map_whatever_is_taken_out_of_it) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        table_against_model both{seed};
        for (int tide = 0; tide < 6; ++tide) {
            for (int step = 0; step < 400; ++step) {
                const auto choice = both.below(10);
                if (choice < (tide % 2 == 0 ? 7U : 2U))
                    both.add();
                else if (!both.is_empty() && choice < 9)
                    both.remove_one();
                else if (!both.is_empty())
                    both.check_one();
                if (step % 16 == 0)
                    both.compare();
            }
            while (tide % 2 == 1 && !both.is_empty())
                both.remove_one();
            both.compare();
            if (testing::Test::HasFailure())
                return;
        }
    }
}

TEST(transaction_table, takes_no_half_twice) {
    transaction_table table;
    half_message half;
    half.position = log_position{8};
    table.add(half, "producers");
    EXPECT_DEATH(table.add(half, "producers"), "");
    EXPECT_DEATH(table.remove(log_position{16}), "");
}

} // namespace
} // namespace holdfast::broker
