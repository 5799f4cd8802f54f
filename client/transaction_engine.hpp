// The inside of transaction_producer: half messages out, decisions behind them, checks in, and the brokers
// that must know us.
#pragma once

#include "client/check_pool.hpp"
#include "client/producer_engine.hpp"
#include "client/transaction_producer.hpp"
#include "protocol/transaction_requests.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast::client {

class transaction_producer::engine : public decision_sink,
                                     public std::enable_shared_from_this<transaction_producer::engine> {
  public:
    engine(transaction_producer_options options, checker check);

    result<void> start();
    void shutdown();

    void send_half(message outgoing, half_callback done);
    void decide(const half_place& half, transaction_decision decision, decision_callback done) override;

    void trouble(error what) const;
    [[nodiscard]] bool confirms() const { return options_.confirm_decisions; }
    [[nodiscard]] bool on_io_thread() const { return sending_->on_io_thread(); }
    [[nodiscard]] std::size_t in_flight() const { return sending_->in_flight(); }
    [[nodiscard]] const std::string& client_id() const { return sending_->client_id(); }

  private:
    [[nodiscard]] runtime& client() const { return sending_->client(); }
    void half_answered(std::string topic, const send_result& sent, const half_callback& done);
    [[nodiscard]] std::shared_ptr<connection> broker_of(const half_place& half) const;

    // Decisions on their way (transaction_decisions.cpp).
    struct pending_decision;
    using decision_ptr = std::shared_ptr<pending_decision>;
    void try_to_decide(const decision_ptr& decision);
    void decision_answered(const decision_ptr& decision, const call_outcome& outcome);
    void decide_at_next_leader(const decision_ptr& decision, error why);
    void end_decision(const decision_ptr& decision, const result<void>& outcome);
    [[nodiscard]] protocol::end_transaction_request request_of(const half_place& half,
                                                               transaction_decision decision) const;

    bool broker_asks(connection& from, const answer& request);
    result<void> take_check(connection& from, const answer& request);
    void answer_check(const transaction_check& check);

    void find_brokers();
    void register_with_new(const std::vector<std::shared_ptr<connection>>& masters);
    [[nodiscard]] bool all_connected() const;
    void connect_all();
    void keep_connected();
    void ask_who_leads();
    // A broker is gone: asks who leads now, and registers there.
    void look_for_leaders(unsigned questions_before);

    const transaction_producer_options options_;
    const checker check_;
    const std::shared_ptr<producer::engine> sending_;
    check_pool checks_;
    // The io thread's own.
    bool brokers_known_ = false;
    bool looking_for_leaders_ = false;
    std::vector<std::shared_ptr<connection>> masters_; // at the last look
    // From then on a producer that shuts down looks for no leader, unless somebody waits for the answer.
    in_flight::clock::time_point farewell_ = in_flight::clock::time_point::max();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t unconfirmed_ = 0; // decisions that wait for an answer
    bool ended_ = false;          // no more of them
};

} // namespace holdfast::client
