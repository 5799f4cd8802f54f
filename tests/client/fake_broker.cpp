#include "tests/client/fake_broker.hpp"

#include "tests/client/fake_session.hpp"

#include "protocol/frame.hpp"
#include "protocol/stored_message.hpp"

#include <boost/asio/post.hpp>

namespace holdfast::client::testing {

using boost::asio::ip::tcp;
using protocol::request_code;

fake_broker::fake_broker(std::uint16_t port)
    : acceptor_(io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), port}) {
    port_ = acceptor_.local_endpoint().port();
    leader_ = address();
    topics_["TBW102"] = {.queues = 8, .permission = 7};
    accept();
    thread_ = std::thread{[this] { io_.run(); }};
}

fake_broker::~fake_broker() {
    boost::asio::post(io_, [this] {
        acceptor_.close();
        const std::lock_guard lock{mutex_};
        for (const session_ptr& each : sessions_)
            each->close();
        io_.stop();
    });
    thread_.join();
}

void fake_broker::accept() {
    acceptor_.async_accept([this](const boost::system::error_code& failure, tcp::socket socket) {
        if (failure)
            return;
        const auto session = std::make_shared<fake_session>(
            std::move(socket),
            [this](const session_ptr& from, const protocol::remoting_command& command) {
                arrived(from, command);
            },
            [this](const session_ptr& from) { closed(from); });
        {
            const std::lock_guard lock{mutex_};
            sessions_.insert(session);
        }
        session->read();
        accept();
    });
}

void fake_broker::arrived(const session_ptr& session, const protocol::remoting_command& command) {
    const std::lock_guard lock{mutex_};
    if (command.is_response()) {
        answers_.push_back(command.code());
        changed_.notify_all();
        return;
    }
    const int number = ++counts_[command.request()];
    const auto found = scripts_.find(command.request());
    const auto verdict =
        found == scripts_.end() ? script_says::serve : found->second({command, session, number});
    if (verdict == script_says::serve)
        serve(session, command);
    else if (verdict == script_says::close)
        session->close();
    changed_.notify_all();
}

void fake_broker::closed(const session_ptr& session) {
    const std::lock_guard lock{mutex_};
    sessions_.erase(session);
    parked_.remove_if([&](const parked_pull& each) { return each.session == session; });
    for (auto& [group, members] : groups_)
        if (members.erase(session) != 0)
            notify_group(group);
    for (auto& [group, sessions] : producers_)
        sessions.erase(session);
    std::erase_if(pullers_, [&](const auto& each) { return each.second == session; });
    changed_.notify_all();
}

void fake_broker::add_topic(const std::string& topic, std::int32_t queues, std::int32_t permission) {
    const std::lock_guard lock{mutex_};
    topics_[topic] = {.queues = queues, .permission = permission};
}

std::int64_t fake_broker::store(const std::string& topic, std::uint32_t queue, std::string_view body,
                                std::string_view properties, std::int32_t sys_flag) {
    const std::lock_guard lock{mutex_};
    const std::int64_t offset = append(topic, queue, body, properties, sys_flag);
    // Sessions write on the broker's own thread.
    boost::asio::post(io_, [this, topic, queue] {
        const std::lock_guard again{mutex_};
        wake(topic, queue);
    });
    return offset;
}

void fake_broker::trim(const std::string& topic, std::uint32_t queue, std::int64_t first) {
    const std::lock_guard lock{mutex_};
    log& at = logs_[{topic, queue}];
    at.records.erase(at.records.begin(), at.records.begin() + (first - at.first));
    at.first = first;
}

void fake_broker::on(request_code code, script run) {
    const std::lock_guard lock{mutex_};
    scripts_[code] = std::move(run);
}

void fake_broker::refuse(const seen_request& request, protocol::response_code code, std::string_view remark) {
    byte_buffer out;
    protocol::append_failure(out, protocol::answer_to::of(request.command), code, remark);
    request.from->write(out.view());
}

void fake_broker::write(const seen_request& request, byte_view bytes) {
    request.from->write(bytes);
}

void fake_broker::hold(const seen_request& request) {
    // Written again as a frame of its own, because a command lives only as long as its bytes.
    byte_buffer out;
    protocol::command_writer writer{out,
                                    {.code = request.command.code(),
                                     .serialize = request.command.serialize(),
                                     .opaque = request.command.opaque(),
                                     .flag = request.command.flag(),
                                     .remark = {}}};
    for (const protocol::header_field& each : request.command.fields())
        writer.field(each.name, each.value);
    writer.finish(request.command.body());
    held_.emplace_back(request.from, std::string{as_text(out.view())});
}

void fake_broker::release(const std::vector<std::size_t>& order) {
    boost::asio::post(io_, [this, order] {
        const std::lock_guard lock{mutex_};
        const auto held = std::exchange(held_, {});
        for (const std::size_t which : order) {
            const auto& [session, bytes] = held.at(which);
            protocol::remoting_command command;
            if (command.decode(**protocol::next_frame(as_bytes(bytes))))
                serve(session, command);
        }
        changed_.notify_all();
    });
}

void fake_broker::tell_members(const std::string& group, const byte_buffer& frame) {
    boost::asio::post(io_, [this, group, bytes = std::string{as_text(frame.view())}] {
        const std::lock_guard lock{mutex_};
        for (const auto& [session, id] : groups_[group])
            session->write(as_bytes(bytes));
    });
}

void fake_broker::close_connections() {
    boost::asio::post(io_, [this] {
        const std::lock_guard lock{mutex_};
        for (const session_ptr& each : sessions_)
            each->close();
    });
}

bool fake_broker::wait_until(const std::function<bool()>& true_now) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{10}, true_now);
}

int fake_broker::count(request_code code) const {
    const std::lock_guard lock{mutex_};
    const auto found = counts_.find(code);
    return found == counts_.end() ? 0 : found->second;
}

std::size_t fake_broker::stored(const std::string& topic, std::uint32_t queue) const {
    const std::lock_guard lock{mutex_};
    const auto found = logs_.find({topic, queue});
    return found == logs_.end() ? 0 : found->second.records.size();
}

std::vector<std::string> fake_broker::bodies(const std::string& topic) const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> all;
    for (const auto& [queue, kept] : logs_)
        for (const std::string& record : kept.records)
            if (queue.first == topic)
                all.emplace_back(as_text(protocol::decode_stored_message(as_bytes(record))->body));
    return all;
}

std::vector<std::string> fake_broker::properties(const std::string& topic) const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> all;
    for (const auto& [queue, kept] : logs_)
        for (const std::string& record : kept.records)
            if (queue.first == topic)
                all.emplace_back(protocol::decode_stored_message(as_bytes(record))->properties);
    return all;
}

std::int64_t fake_broker::committed(const std::string& group, const std::string& topic,
                                    std::uint32_t queue) const {
    const std::lock_guard lock{mutex_};
    const auto found = offsets_.find({group, {topic, queue}});
    return found == offsets_.end() ? -1 : found->second;
}

void fake_broker::set_committed(const std::string& group, const std::string& topic, std::uint32_t queue,
                                std::int64_t offset) {
    const std::lock_guard lock{mutex_};
    offsets_[{group, {topic, queue}}] = offset;
}

std::size_t fake_broker::held() const {
    const std::lock_guard lock{mutex_};
    return held_.size();
}

std::vector<int> fake_broker::answers() const {
    const std::lock_guard lock{mutex_};
    return answers_;
}

std::size_t fake_broker::members(const std::string& group) const {
    const std::lock_guard lock{mutex_};
    const auto found = groups_.find(group);
    return found == groups_.end() ? 0 : found->second.size();
}

} // namespace holdfast::client::testing
