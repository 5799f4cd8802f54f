// What producer, consumer and admin are built on: one io thread, the connections, the routes, the heartbeat.
//
// Owns all of them. Every handler runs on the io thread, so what only handlers touch needs no lock. A runtime
// is started once and stopped once; stopping fails everything in flight with call_failure_kind::closed.
#pragma once

#include "client/call.hpp"
#include "client/routes.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace holdfast::client {

class runtime {
  public:
    using route_handler = std::function<void(const result<route_ptr>&)>;
    // Asks one name server; called with the next one too when there is no answer, or none soon.
    using name_server_question = std::function<void(connection&, call_handler)>;

    explicit runtime(client_options options);
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    // Before start(). The first is called when the route of a topic changed, the second for requests of a
    // broker that are not answered here (everything but "not supported"): true = dealt with.
    void on_route_changed(std::function<void(const std::string& topic)> handler);
    void on_broker_request(std::function<bool(connection&, const answer&)> handler);
    // An open connection to a broker broke. Called on the io thread.
    void on_broker_lost(std::function<void(connection&)> handler);
    // The body of HEART_BEAT; empty = none is sent. Called on the io thread.
    void on_heartbeat(std::function<std::string()> body);

    result<void> start();
    // Not on the io thread. Idempotent.
    void stop();

    [[nodiscard]] const client_options& options() const { return options_; }
    [[nodiscard]] const std::string& client_id() const { return client_id_; }
    [[nodiscard]] std::uint32_t local_address() const { return local_address_; } // IPv4, for UNIQ_KEY
    [[nodiscard]] bool on_io_thread() const { return std::this_thread::get_id() == io_thread_id_.load(); }

    template <class Function>
    void post(Function function) {
        boost::asio::post(io_, std::move(function));
    }
    // Once, or again and again, until stop().
    void after(std::chrono::milliseconds delay, std::function<void()> function);
    void every(std::chrono::milliseconds interval, std::function<void()> function);

    [[nodiscard]] std::shared_ptr<connection> broker(const std::string& address);
    // The brokers of all known routes, and those that are kept besides.
    [[nodiscard]] std::vector<std::shared_ptr<connection>> brokers() const;

    // Registers with these brokers too, whatever the routes say; replaces those of an earlier call.
    void keep(std::vector<std::shared_ptr<connection>> brokers);

    void ask_name_server(name_server_question question, call_handler handler);
    // Asks for the route and keeps it; calls for the same topic meanwhile share one question. not_found when
    // no broker has the topic.
    void fetch_route(const std::string& topic, route_handler handler);
    // As fetch_route, for whoever just failed to reach a broker: when the answer is no news, another name
    // server is asked next time, because this one may be cut off from the others.
    void doubt_route(const std::string& topic, route_handler handler);
    // As doubt_route, but not sooner than `pause` after the last time for the topic.
    void suspect_route(const std::string& topic,
                       std::chrono::milliseconds pause = std::chrono::milliseconds{50});
    // The routes of all topics that live there.
    void suspect_routes_to(const connection& broker,
                           std::chrono::milliseconds pause = std::chrono::milliseconds{50});
    [[nodiscard]] route_table& routes() { return routes_; }
    [[nodiscard]] broker_lookup lookup();

    // Heartbeats to all brokers now; `done` when every one has answered or failed.
    void send_heartbeats(std::function<void()> done = {});
    // A heartbeat to one of them, which connects to it; `done` hears whether it was taken. On the io thread.
    void register_with(connection& broker, std::function<void(bool)> done = {}) {
        send_heartbeat(broker, std::move(done));
    }
    // Says goodbye (35) for these groups to all brokers, and waits for the answers. Not on the io thread.
    void unregister(const std::string& producer_group, const std::string& consumer_group);

  private:
    struct name_server_round;
    void try_next_name_server(const std::shared_ptr<name_server_round>& round);
    // Brokers that owe answers: asks whether they still lead, and gives up on those that did and do not.
    void watch_silence();
    [[nodiscard]] bool is_named(const connection& broker) const; // by a route, under any id
    void leave(const connection& broker, const std::string& moved);
    void route_answered(const std::string& topic, const call_outcome& outcome);
    void refresh_routes();
    void send_heartbeat(connection& to, std::function<void(bool)> done);
    void answer_broker(connection& from, const answer& request);

    const client_options options_;
    std::string client_id_;
    std::uint32_t local_address_ = 0;

    boost::asio::io_context io_;
    std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
    std::thread io_thread_;
    std::atomic<std::thread::id> io_thread_id_{};
    std::function<void(const std::string&)> route_changed_;
    std::function<bool(connection&, const answer&)> broker_request_;
    std::function<void(connection&)> broker_lost_;
    std::function<std::string()> heartbeat_body_;
    std::shared_ptr<const connection_hooks> broker_hooks_;

    // The io thread's own.
    std::list<boost::asio::steady_timer> timers_;
    bool stopping_ = false;
    std::vector<std::shared_ptr<connection>> name_servers_;
    std::size_t good_name_server_ = 0;
    std::unordered_map<std::string, std::vector<route_handler>> fetching_;
    std::unordered_map<std::string, std::chrono::steady_clock::time_point> suspected_;
    std::set<const connection*> led_; // a route placed queues there, and it was not given up since
    std::unordered_map<std::string, bool> doubted_; // topics whose fetch under way is a doubt

    route_table routes_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<connection>> brokers_; // by address
    std::vector<std::shared_ptr<connection>> kept_;
    bool stopped_ = false;
};

} // namespace holdfast::client
