#pragma once

#include "core/lab/experiment.h"

#include <QWidget>

#include <functional>

class QLabel;
class QLineEdit;
class QVBoxLayout;

namespace warplight::app {

/// A form made from an experiment's parameters. Values are checked by the vocabulary itself; what is wrong stands in
/// red under its field.
class SettingsForm : public QWidget {
    Q_OBJECT
  public:
    explicit SettingsForm(QWidget* parent = nullptr);

    void setParameters(const std::vector<lab::Parameter>& parameters);
    /// The same page's parameters as they are beside its settings. Values stay, but for those whose default has
    /// changed; `kept` has some for fields that are new. Returns whether it is another form now.
    bool adapt(const std::vector<lab::Parameter>& parameters, const std::map<std::string, lab::Value>& kept);
    /// Values that differ from the defaults or not: all that are right. Wrong fields are left out.
    std::map<std::string, lab::Value> values() const;
    void setDevice(const std::string& id); ///< what matters only on another device goes away
    void setValue(const std::string& id, const lab::Value& value);
    void setError(const QString& id, const QString& sentence); ///< an empty sentence clears it
    bool hasErrors() const;

  signals:
    void changed();

  private:
    struct Field {
        lab::Parameter parameter;
        std::function<lab::Value()> read; ///< throws InputError
        std::function<void(const lab::Value&)> write;
        QLabel* error;
        QWidget* box; ///< label, field and error together
    };
    void addField(const lab::Parameter& parameter);
    QWidget* fileField(QLineEdit* edit, const lab::Parameter& parameter);
    QWidget* sliderField(QLineEdit* edit, const lab::Parameter& parameter);
    QWidget* textField(const lab::Parameter& parameter, size_t index, Field& field);
    void showWhatMatters();
    void fieldChanged(size_t index);

    std::string deviceId;
    QVBoxLayout* layout;
    QWidget* body = nullptr;
    std::vector<Field> fields;
};

} // namespace warplight::app
