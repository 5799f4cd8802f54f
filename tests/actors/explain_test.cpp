#include "actors/explain.hpp"

#include "protocol/message_id.hpp"
#include "tests/actors/fixture.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace holdfast::actors::testing {
namespace {

class explained : public actor_fixture {
  protected:
    nlohmann::json explain(log_position position) {
        const auto id = protocol::make_message_id({0x7F000001, 10911}, position);
        const auto page = explainer{*environment, [](log_position) { return std::nullopt; }}.explain(id, "");
        EXPECT_TRUE(page.ok()) << page.failure().message;
        return page.ok() ? nlohmann::json::parse(*page) : nlohmann::json{};
    }
};

// An answer like any other: a script asks for the ids of last month, too.
TEST_F(explained, what_retention_has_taken_is_expired) {
    lead();
    broker::state_changes trimmed;
    trimmed.facts.emplace_back(broker::log_trimmed{log_position{4'096}, {}});
    std::vector<storage::waiter_id> woken;
    view->apply(trimmed, woken);
    const auto answer = explain(log_position{88});
    EXPECT_EQ(answer.at("matches"), 0);
    EXPECT_EQ(answer.at("standing"), "expired");
    EXPECT_EQ(answer.at("position"), 88);
    EXPECT_EQ(answer.at("logFirst"), 4'096);
}

} // namespace
} // namespace holdfast::actors::testing
