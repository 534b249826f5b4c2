"""Whether an object is as `site.schema.json` says: `validate` raises an `InvalidError` if not.

Made from it by `python -m tools.compile_schemas`; not to be edited.
"""

# ruff: noqa
# fmt: off
# mypy: ignore-errors

from edge_app.core.errors import InvalidError

SCHEMA_SHA256 = "5232e188796a242f9269b0fe643f5ef4057a929d8b526d69c005e6de8a4669c3"

VERSION = '2.22.3'
import re
REGEX_PATTERNS = {'^[0-9a-f]{64}$': re.compile('^[0-9a-f]{64}\\Z')}
NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['kind', 'schema_version', 'edge_cxr', 'disclaimer', 'created', 'model', 'data', 'prevalence', 'target', 'decisions', 'recalibration', 'overall', 'before', 'labels', 'groups', 'curve', 'choices', 'reference', 'digest']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'kind' in data_keys:
        data_keys.remove('kind')
        data__kind = data['kind']
        if not (isinstance(data__kind, str) and data__kind == 'edge-cxr site file'):
            raise InvalidError((name_prefix or 'data') + '.kind must be same as const definition: edge-cxr site file')
    if 'schema_version' in data_keys:
        data_keys.remove('schema_version')
        data__schemaversion = data['schema_version']
        if not (isinstance(data__schemaversion, (int, float)) and (not isinstance(data__schemaversion, bool)) and (data__schemaversion == 1) or (isinstance(data__schemaversion, (int, float)) and (not isinstance(data__schemaversion, bool)) and (data__schemaversion == 2))):
            raise InvalidError((name_prefix or 'data') + '.schema_version must be one of [1, 2]')
    if 'edge_cxr' in data_keys:
        data_keys.remove('edge_cxr')
        data__edgecxr = data['edge_cxr']
        if not isinstance(data__edgecxr, str):
            raise InvalidError((name_prefix or 'data') + '.edge_cxr must be string')
        data__edgecxr_len = len(data__edgecxr)
        if data__edgecxr_len > 40:
            raise InvalidError((name_prefix or 'data') + '.edge_cxr must be shorter than or equal to 40 characters')
    if 'disclaimer' in data_keys:
        data_keys.remove('disclaimer')
        data__disclaimer = data['disclaimer']
        if not isinstance(data__disclaimer, str):
            raise InvalidError((name_prefix or 'data') + '.disclaimer must be string')
        data__disclaimer_len = len(data__disclaimer)
        if data__disclaimer_len > 200:
            raise InvalidError((name_prefix or 'data') + '.disclaimer must be shorter than or equal to 200 characters')
    if 'created' in data_keys:
        data_keys.remove('created')
        data__created = data['created']
        if not isinstance(data__created, str):
            raise InvalidError((name_prefix or 'data') + '.created must be string')
        data__created_len = len(data__created)
        if data__created_len > 40:
            raise InvalidError((name_prefix or 'data') + '.created must be shorter than or equal to 40 characters')
    if 'model' in data_keys:
        data_keys.remove('model')
        data__model = data['model']
        if not isinstance(data__model, dict):
            raise InvalidError((name_prefix or 'data') + '.model must be object')
        data__model__missing_keys = set(['name', 'sha256']) - data__model.keys()
        if data__model__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.model must contain ' + (str(sorted(data__model__missing_keys)) + ' properties'))
        data__model_keys = set(data__model.keys())
        if 'name' in data__model_keys:
            data__model_keys.remove('name')
            data__model__name = data__model['name']
            if not isinstance(data__model__name, str):
                raise InvalidError((name_prefix or 'data') + '.model.name must be string')
            data__model__name_len = len(data__model__name)
            if data__model__name_len > 64:
                raise InvalidError((name_prefix or 'data') + '.model.name must be shorter than or equal to 64 characters')
        if 'sha256' in data__model_keys:
            data__model_keys.remove('sha256')
            data__model__sha256 = data__model['sha256']
            validate___definitions_sha256(data__model__sha256, custom_formats, (name_prefix or 'data') + '.model.sha256')
        if 'scoring' in data__model_keys:
            data__model_keys.remove('scoring')
            data__model__scoring = data__model['scoring']
            validate___definitions_sha256(data__model__scoring, custom_formats, (name_prefix or 'data') + '.model.scoring')
        if data__model_keys:
            raise InvalidError((name_prefix or 'data') + '.model must not contain ' + str(data__model_keys) + ' properties')
    if 'data' in data_keys:
        data_keys.remove('data')
        data__data = data['data']
        if not isinstance(data__data, dict):
            raise InvalidError((name_prefix or 'data') + '.data must be object')
        data__data__missing_keys = set(['images', 'patients', 'bearing', 'normal', 'reports', 'notes']) - data__data.keys()
        if data__data__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.data must contain ' + (str(sorted(data__data__missing_keys)) + ' properties'))
        data__data_keys = set(data__data.keys())
        if 'images' in data__data_keys:
            data__data_keys.remove('images')
            data__data__images = data__data['images']
            if not isinstance(data__data__images, int) or isinstance(data__data__images, bool):
                raise InvalidError((name_prefix or 'data') + '.data.images must be integer')
            if data__data__images < 1:
                raise InvalidError((name_prefix or 'data') + '.data.images must be bigger than or equal to 1')
        if 'patients' in data__data_keys:
            data__data_keys.remove('patients')
            data__data__patients = data__data['patients']
            if not isinstance(data__data__patients, int) or isinstance(data__data__patients, bool):
                raise InvalidError((name_prefix or 'data') + '.data.patients must be integer')
            if data__data__patients < 1:
                raise InvalidError((name_prefix or 'data') + '.data.patients must be bigger than or equal to 1')
        if 'bearing' in data__data_keys:
            data__data_keys.remove('bearing')
            data__data__bearing = data__data['bearing']
            validate___definitions_counts(data__data__bearing, custom_formats, (name_prefix or 'data') + '.data.bearing')
        if 'normal' in data__data_keys:
            data__data_keys.remove('normal')
            data__data__normal = data__data['normal']
            validate___definitions_counts(data__data__normal, custom_formats, (name_prefix or 'data') + '.data.normal')
        if 'reports' in data__data_keys:
            data__data_keys.remove('reports')
            data__data__reports = data__data['reports']
            if not isinstance(data__data__reports, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.data.reports must be array')
            data__data__reports_len = len(data__data__reports)
            if data__data__reports_len < 1:
                raise InvalidError((name_prefix or 'data') + '.data.reports must contain at least 1 items')
            if data__data__reports_len > 1000:
                raise InvalidError((name_prefix or 'data') + '.data.reports must contain less than or equal to 1000 items')
            for data__data__reports_x, data__data__reports_item in enumerate(data__data__reports):
                if not isinstance(data__data__reports_item, dict):
                    raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}]' + ' must be object')
                data__data__reports_item__missing_keys = set(['name', 'split', 'digest', 'images', 'patients']) - data__data__reports_item.keys()
                if data__data__reports_item__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}]' + ' must contain ' + (str(sorted(data__data__reports_item__missing_keys)) + ' properties'))
                data__data__reports_item_keys = set(data__data__reports_item.keys())
                if 'name' in data__data__reports_item_keys:
                    data__data__reports_item_keys.remove('name')
                    data__data__reports_item__name = data__data__reports_item['name']
                    if not isinstance(data__data__reports_item__name, str):
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].name' + ' must be string')
                if 'split' in data__data__reports_item_keys:
                    data__data__reports_item_keys.remove('split')
                    data__data__reports_item__split = data__data__reports_item['split']
                    if not isinstance(data__data__reports_item__split, str):
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].split' + ' must be string')
                if 'digest' in data__data__reports_item_keys:
                    data__data__reports_item_keys.remove('digest')
                    data__data__reports_item__digest = data__data__reports_item['digest']
                    validate___definitions_sha256(data__data__reports_item__digest, custom_formats, (name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].digest')
                if 'images' in data__data__reports_item_keys:
                    data__data__reports_item_keys.remove('images')
                    data__data__reports_item__images = data__data__reports_item['images']
                    if not isinstance(data__data__reports_item__images, int) or isinstance(data__data__reports_item__images, bool):
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].images' + ' must be integer')
                    if data__data__reports_item__images < 1:
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].images' + ' must be bigger than or equal to 1')
                if 'patients' in data__data__reports_item_keys:
                    data__data__reports_item_keys.remove('patients')
                    data__data__reports_item__patients = data__data__reports_item['patients']
                    if not isinstance(data__data__reports_item__patients, int) or isinstance(data__data__reports_item__patients, bool):
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].patients' + ' must be integer')
                    if data__data__reports_item__patients < 1:
                        raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}].patients' + ' must be bigger than or equal to 1')
                if data__data__reports_item_keys:
                    raise InvalidError((name_prefix or 'data') + f'.data.reports[{data__data__reports_x}]' + ' must not contain ' + str(data__data__reports_item_keys) + ' properties')
        if 'notes' in data__data_keys:
            data__data_keys.remove('notes')
            data__data__notes = data__data['notes']
            if not isinstance(data__data__notes, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.data.notes must be array')
            data__data__notes_len = len(data__data__notes)
            for data__data__notes_x, data__data__notes_item in enumerate(data__data__notes):
                if not isinstance(data__data__notes_item, str):
                    raise InvalidError((name_prefix or 'data') + f'.data.notes[{data__data__notes_x}]' + ' must be string')
        if data__data_keys:
            raise InvalidError((name_prefix or 'data') + '.data must not contain ' + str(data__data_keys) + ' properties')
    if 'prevalence' in data_keys:
        data_keys.remove('prevalence')
        data__prevalence = data['prevalence']
        if not isinstance(data__prevalence, dict):
            raise InvalidError((name_prefix or 'data') + '.prevalence must be object')
        data__prevalence__missing_keys = set(['value', 'low', 'high', 'stated']) - data__prevalence.keys()
        if data__prevalence__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.prevalence must contain ' + (str(sorted(data__prevalence__missing_keys)) + ' properties'))
        data__prevalence_keys = set(data__prevalence.keys())
        if 'value' in data__prevalence_keys:
            data__prevalence_keys.remove('value')
            data__prevalence__value = data__prevalence['value']
            if not isinstance(data__prevalence__value, (int, float)) or isinstance(data__prevalence__value, bool):
                raise InvalidError((name_prefix or 'data') + '.prevalence.value must be number')
            if data__prevalence__value <= 0:
                raise InvalidError((name_prefix or 'data') + '.prevalence.value must be bigger than 0')
            if data__prevalence__value >= 1:
                raise InvalidError((name_prefix or 'data') + '.prevalence.value must be smaller than 1')
        if 'low' in data__prevalence_keys:
            data__prevalence_keys.remove('low')
            data__prevalence__low = data__prevalence['low']
            if not isinstance(data__prevalence__low, (int, float, NoneType)) or isinstance(data__prevalence__low, bool):
                raise InvalidError((name_prefix or 'data') + '.prevalence.low must be number or null')
        if 'high' in data__prevalence_keys:
            data__prevalence_keys.remove('high')
            data__prevalence__high = data__prevalence['high']
            if not isinstance(data__prevalence__high, (int, float, NoneType)) or isinstance(data__prevalence__high, bool):
                raise InvalidError((name_prefix or 'data') + '.prevalence.high must be number or null')
        if 'stated' in data__prevalence_keys:
            data__prevalence_keys.remove('stated')
            data__prevalence__stated = data__prevalence['stated']
            if not isinstance(data__prevalence__stated, bool):
                raise InvalidError((name_prefix or 'data') + '.prevalence.stated must be boolean')
        if data__prevalence_keys:
            raise InvalidError((name_prefix or 'data') + '.prevalence must not contain ' + str(data__prevalence_keys) + ' properties')
    if 'target' in data_keys:
        data_keys.remove('target')
        data__target = data['target']
        if not isinstance(data__target, dict):
            raise InvalidError((name_prefix or 'data') + '.target must be object')
        data__target__missing_keys = set(['kind', 'value', 'certainty', 'words']) - data__target.keys()
        if data__target__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.target must contain ' + (str(sorted(data__target__missing_keys)) + ' properties'))
        data__target_keys = set(data__target.keys())
        if 'kind' in data__target_keys:
            data__target_keys.remove('kind')
            data__target__kind = data__target['kind']
            if not (isinstance(data__target__kind, str) and data__target__kind == 'sensitivity' or (isinstance(data__target__kind, str) and data__target__kind == 'specificity') or (isinstance(data__target__kind, str) and data__target__kind == 'false-alarms') or (isinstance(data__target__kind, str) and data__target__kind == 'cost-ratio')):
                raise InvalidError((name_prefix or 'data') + ".target.kind must be one of ['sensitivity', 'specificity', 'false-alarms', 'cost-ratio']")
        if 'value' in data__target_keys:
            data__target_keys.remove('value')
            data__target__value = data__target['value']
            if not isinstance(data__target__value, (int, float)) or isinstance(data__target__value, bool):
                raise InvalidError((name_prefix or 'data') + '.target.value must be number')
        if 'certainty' in data__target_keys:
            data__target_keys.remove('certainty')
            data__target__certainty = data__target['certainty']
            if not isinstance(data__target__certainty, (int, float)) or isinstance(data__target__certainty, bool):
                raise InvalidError((name_prefix or 'data') + '.target.certainty must be number')
            if data__target__certainty < 0:
                raise InvalidError((name_prefix or 'data') + '.target.certainty must be bigger than or equal to 0')
            if data__target__certainty > 1:
                raise InvalidError((name_prefix or 'data') + '.target.certainty must be smaller than or equal to 1')
        if 'words' in data__target_keys:
            data__target_keys.remove('words')
            data__target__words = data__target['words']
            if not isinstance(data__target__words, str):
                raise InvalidError((name_prefix or 'data') + '.target.words must be string')
            data__target__words_len = len(data__target__words)
            if data__target__words_len > 200:
                raise InvalidError((name_prefix or 'data') + '.target.words must be shorter than or equal to 200 characters')
        if data__target_keys:
            raise InvalidError((name_prefix or 'data') + '.target must not contain ' + str(data__target_keys) + ' properties')
    if 'decisions' in data_keys:
        data_keys.remove('decisions')
        data__decisions = data['decisions']
        if not isinstance(data__decisions, dict):
            raise InvalidError((name_prefix or 'data') + '.decisions must be object')
        data__decisions__missing_keys = set(['calibration', 'prevalence', 'operating_points', 'default_operating_point', 'overall', 'reference']) - data__decisions.keys()
        if data__decisions__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.decisions must contain ' + (str(sorted(data__decisions__missing_keys)) + ' properties'))
        data__decisions_keys = set(data__decisions.keys())
        if 'calibration' in data__decisions_keys:
            data__decisions_keys.remove('calibration')
            data__decisions__calibration = data__decisions['calibration']
            if not isinstance(data__decisions__calibration, dict):
                raise InvalidError((name_prefix or 'data') + '.decisions.calibration must be object')
        if 'prevalence' in data__decisions_keys:
            data__decisions_keys.remove('prevalence')
            data__decisions__prevalence = data__decisions['prevalence']
            if not isinstance(data__decisions__prevalence, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.decisions.prevalence must be array')
        if 'operating_points' in data__decisions_keys:
            data__decisions_keys.remove('operating_points')
            data__decisions__operatingpoints = data__decisions['operating_points']
            if not isinstance(data__decisions__operatingpoints, dict):
                raise InvalidError((name_prefix or 'data') + '.decisions.operating_points must be object')
        if 'default_operating_point' in data__decisions_keys:
            data__decisions_keys.remove('default_operating_point')
            data__decisions__defaultoperatingpoint = data__decisions['default_operating_point']
            if not isinstance(data__decisions__defaultoperatingpoint, str):
                raise InvalidError((name_prefix or 'data') + '.decisions.default_operating_point must be string')
        if 'overall' in data__decisions_keys:
            data__decisions_keys.remove('overall')
            data__decisions__overall = data__decisions['overall']
            if not isinstance(data__decisions__overall, dict):
                raise InvalidError((name_prefix or 'data') + '.decisions.overall must be object')
        if 'reference' in data__decisions_keys:
            data__decisions_keys.remove('reference')
            data__decisions__reference = data__decisions['reference']
            if not isinstance(data__decisions__reference, dict):
                raise InvalidError((name_prefix or 'data') + '.decisions.reference must be object')
        if data__decisions_keys:
            raise InvalidError((name_prefix or 'data') + '.decisions must not contain ' + str(data__decisions_keys) + ' properties')
    if 'recalibration' in data_keys:
        data_keys.remove('recalibration')
        data__recalibration = data['recalibration']
        if not isinstance(data__recalibration, dict):
            raise InvalidError((name_prefix or 'data') + '.recalibration must be object')
        data__recalibration__missing_keys = set(['slope', 'intercept']) - data__recalibration.keys()
        if data__recalibration__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.recalibration must contain ' + (str(sorted(data__recalibration__missing_keys)) + ' properties'))
        data__recalibration_keys = set(data__recalibration.keys())
        if 'slope' in data__recalibration_keys:
            data__recalibration_keys.remove('slope')
            data__recalibration__slope = data__recalibration['slope']
            validate___definitions_estimate(data__recalibration__slope, custom_formats, (name_prefix or 'data') + '.recalibration.slope')
        if 'intercept' in data__recalibration_keys:
            data__recalibration_keys.remove('intercept')
            data__recalibration__intercept = data__recalibration['intercept']
            validate___definitions_estimate(data__recalibration__intercept, custom_formats, (name_prefix or 'data') + '.recalibration.intercept')
        if data__recalibration_keys:
            raise InvalidError((name_prefix or 'data') + '.recalibration must not contain ' + str(data__recalibration_keys) + ' properties')
    if 'overall' in data_keys:
        data_keys.remove('overall')
        data__overall = data['overall']
        validate___definitions_performance(data__overall, custom_formats, (name_prefix or 'data') + '.overall')
    if 'before' in data_keys:
        data_keys.remove('before')
        data__before = data['before']
        data__before_any_of_count1 = 0
        if not data__before_any_of_count1:
            try:
                if not isinstance(data__before, NoneType):
                    raise InvalidError((name_prefix or 'data') + '.before must be null')
                data__before_any_of_count1 += 1
            except (InvalidError,):
                pass
        if not data__before_any_of_count1:
            try:
                validate___definitions_performance(data__before, custom_formats, (name_prefix or 'data') + '.before')
                data__before_any_of_count1 += 1
            except (InvalidError,):
                pass
        if not data__before_any_of_count1:
            raise InvalidError((name_prefix or 'data') + '.before cannot be validated by any definition')
    if 'labels' in data_keys:
        data_keys.remove('labels')
        data__labels = data['labels']
        if not isinstance(data__labels, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.labels must be array')
        data__labels_len = len(data__labels)
        if data__labels_len < 1:
            raise InvalidError((name_prefix or 'data') + '.labels must contain at least 1 items')
        if data__labels_len > 64:
            raise InvalidError((name_prefix or 'data') + '.labels must contain less than or equal to 64 items')
        for data__labels_x, data__labels_item in enumerate(data__labels):
            if not isinstance(data__labels_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must be object')
            data__labels_item__missing_keys = set(['label', 'images', 'patients', 'recalibrated', 'performance', 'why_not']) - data__labels_item.keys()
            if data__labels_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must contain ' + (str(sorted(data__labels_item__missing_keys)) + ' properties'))
            data__labels_item_keys = set(data__labels_item.keys())
            if 'label' in data__labels_item_keys:
                data__labels_item_keys.remove('label')
                data__labels_item__label = data__labels_item['label']
                if not isinstance(data__labels_item__label, str):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].label' + ' must be string')
            if 'images' in data__labels_item_keys:
                data__labels_item_keys.remove('images')
                data__labels_item__images = data__labels_item['images']
                if not isinstance(data__labels_item__images, int) or isinstance(data__labels_item__images, bool):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].images' + ' must be integer')
                if data__labels_item__images < 0:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].images' + ' must be bigger than or equal to 0')
            if 'patients' in data__labels_item_keys:
                data__labels_item_keys.remove('patients')
                data__labels_item__patients = data__labels_item['patients']
                if not isinstance(data__labels_item__patients, int) or isinstance(data__labels_item__patients, bool):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].patients' + ' must be integer')
                if data__labels_item__patients < 0:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].patients' + ' must be bigger than or equal to 0')
            if 'recalibrated' in data__labels_item_keys:
                data__labels_item_keys.remove('recalibrated')
                data__labels_item__recalibrated = data__labels_item['recalibrated']
                if not (isinstance(data__labels_item__recalibrated, str) and data__labels_item__recalibrated == 'slope and intercept' or (isinstance(data__labels_item__recalibrated, str) and data__labels_item__recalibrated == 'intercept') or (isinstance(data__labels_item__recalibrated, str) and data__labels_item__recalibrated == 'nothing')):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].recalibrated' + " must be one of ['slope and intercept', 'intercept', 'nothing']")
            if 'performance' in data__labels_item_keys:
                data__labels_item_keys.remove('performance')
                data__labels_item__performance = data__labels_item['performance']
                data__labels_item__performance_any_of_count2 = 0
                if not data__labels_item__performance_any_of_count2:
                    try:
                        if not isinstance(data__labels_item__performance, NoneType):
                            raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].performance' + ' must be null')
                        data__labels_item__performance_any_of_count2 += 1
                    except (InvalidError,):
                        pass
                if not data__labels_item__performance_any_of_count2:
                    try:
                        validate___definitions_performance(data__labels_item__performance, custom_formats, (name_prefix or 'data') + f'.labels[{data__labels_x}].performance')
                        data__labels_item__performance_any_of_count2 += 1
                    except (InvalidError,):
                        pass
                if not data__labels_item__performance_any_of_count2:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].performance' + ' cannot be validated by any definition')
            if 'why_not' in data__labels_item_keys:
                data__labels_item_keys.remove('why_not')
                data__labels_item__whynot = data__labels_item['why_not']
                if not isinstance(data__labels_item__whynot, (str, NoneType)):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].why_not' + ' must be string or null')
            if data__labels_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must not contain ' + str(data__labels_item_keys) + ' properties')
    if 'groups' in data_keys:
        data_keys.remove('groups')
        data__groups = data['groups']
        if not isinstance(data__groups, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.groups must be array')
        data__groups_len = len(data__groups)
        for data__groups_x, data__groups_item in enumerate(data__groups):
            if not isinstance(data__groups_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}]' + ' must be object')
            data__groups_item__missing_keys = set(['by', 'name', 'images', 'patients', 'sensitivity', 'specificity']) - data__groups_item.keys()
            if data__groups_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}]' + ' must contain ' + (str(sorted(data__groups_item__missing_keys)) + ' properties'))
            data__groups_item_keys = set(data__groups_item.keys())
            if 'by' in data__groups_item_keys:
                data__groups_item_keys.remove('by')
                data__groups_item__by = data__groups_item['by']
                if not isinstance(data__groups_item__by, str):
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].by' + ' must be string')
            if 'name' in data__groups_item_keys:
                data__groups_item_keys.remove('name')
                data__groups_item__name = data__groups_item['name']
                if not isinstance(data__groups_item__name, str):
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].name' + ' must be string')
            if 'images' in data__groups_item_keys:
                data__groups_item_keys.remove('images')
                data__groups_item__images = data__groups_item['images']
                if not isinstance(data__groups_item__images, int) or isinstance(data__groups_item__images, bool):
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].images' + ' must be integer')
                if data__groups_item__images < 1:
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].images' + ' must be bigger than or equal to 1')
            if 'patients' in data__groups_item_keys:
                data__groups_item_keys.remove('patients')
                data__groups_item__patients = data__groups_item['patients']
                if not isinstance(data__groups_item__patients, int) or isinstance(data__groups_item__patients, bool):
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].patients' + ' must be integer')
                if data__groups_item__patients < 1:
                    raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}].patients' + ' must be bigger than or equal to 1')
            if 'sensitivity' in data__groups_item_keys:
                data__groups_item_keys.remove('sensitivity')
                data__groups_item__sensitivity = data__groups_item['sensitivity']
                validate___definitions_estimate(data__groups_item__sensitivity, custom_formats, (name_prefix or 'data') + f'.groups[{data__groups_x}].sensitivity')
            if 'specificity' in data__groups_item_keys:
                data__groups_item_keys.remove('specificity')
                data__groups_item__specificity = data__groups_item['specificity']
                validate___definitions_estimate(data__groups_item__specificity, custom_formats, (name_prefix or 'data') + f'.groups[{data__groups_x}].specificity')
            if data__groups_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.groups[{data__groups_x}]' + ' must not contain ' + str(data__groups_item_keys) + ' properties')
    if 'curve' in data_keys:
        data_keys.remove('curve')
        data__curve = data['curve']
        if not isinstance(data__curve, dict):
            raise InvalidError((name_prefix or 'data') + '.curve must be object')
        data__curve__missing_keys = set(['false_alarms', 'found']) - data__curve.keys()
        if data__curve__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.curve must contain ' + (str(sorted(data__curve__missing_keys)) + ' properties'))
        data__curve_keys = set(data__curve.keys())
        if 'false_alarms' in data__curve_keys:
            data__curve_keys.remove('false_alarms')
            data__curve__falsealarms = data__curve['false_alarms']
            validate___definitions_shares(data__curve__falsealarms, custom_formats, (name_prefix or 'data') + '.curve.false_alarms')
        if 'found' in data__curve_keys:
            data__curve_keys.remove('found')
            data__curve__found = data__curve['found']
            validate___definitions_shares(data__curve__found, custom_formats, (name_prefix or 'data') + '.curve.found')
        if data__curve_keys:
            raise InvalidError((name_prefix or 'data') + '.curve must not contain ' + str(data__curve_keys) + ' properties')
    if 'choices' in data_keys:
        data_keys.remove('choices')
        data__choices = data['choices']
        if not isinstance(data__choices, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.choices must be array')
        data__choices_len = len(data__choices)
        for data__choices_x, data__choices_item in enumerate(data__choices):
            if not isinstance(data__choices_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.choices[{data__choices_x}]' + ' must be object')
            data__choices_item__missing_keys = set(['option', 'threshold', 'sensitivity', 'specificity', 'ppv', 'npv', 'per_thousand']) - data__choices_item.keys()
            if data__choices_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.choices[{data__choices_x}]' + ' must contain ' + (str(sorted(data__choices_item__missing_keys)) + ' properties'))
            data__choices_item_keys = set(data__choices_item.keys())
            if 'option' in data__choices_item_keys:
                data__choices_item_keys.remove('option')
                data__choices_item__option = data__choices_item['option']
                if not isinstance(data__choices_item__option, str):
                    raise InvalidError((name_prefix or 'data') + f'.choices[{data__choices_x}].option' + ' must be string')
            if 'threshold' in data__choices_item_keys:
                data__choices_item_keys.remove('threshold')
                data__choices_item__threshold = data__choices_item['threshold']
                validate___definitions_share(data__choices_item__threshold, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].threshold')
            if 'sensitivity' in data__choices_item_keys:
                data__choices_item_keys.remove('sensitivity')
                data__choices_item__sensitivity = data__choices_item['sensitivity']
                validate___definitions_estimate(data__choices_item__sensitivity, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].sensitivity')
            if 'specificity' in data__choices_item_keys:
                data__choices_item_keys.remove('specificity')
                data__choices_item__specificity = data__choices_item['specificity']
                validate___definitions_estimate(data__choices_item__specificity, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].specificity')
            if 'ppv' in data__choices_item_keys:
                data__choices_item_keys.remove('ppv')
                data__choices_item__ppv = data__choices_item['ppv']
                validate___definitions_estimate(data__choices_item__ppv, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].ppv')
            if 'npv' in data__choices_item_keys:
                data__choices_item_keys.remove('npv')
                data__choices_item__npv = data__choices_item['npv']
                validate___definitions_estimate(data__choices_item__npv, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].npv')
            if 'per_thousand' in data__choices_item_keys:
                data__choices_item_keys.remove('per_thousand')
                data__choices_item__perthousand = data__choices_item['per_thousand']
                validate___definitions_yield(data__choices_item__perthousand, custom_formats, (name_prefix or 'data') + f'.choices[{data__choices_x}].per_thousand')
            if data__choices_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.choices[{data__choices_x}]' + ' must not contain ' + str(data__choices_item_keys) + ' properties')
    if 'reference' in data_keys:
        data_keys.remove('reference')
        data__reference = data['reference']
        if not isinstance(data__reference, dict):
            raise InvalidError((name_prefix or 'data') + '.reference must be object')
        data__reference__missing_keys = set(['images', 'design', 'quantiles', 'overall', 'flagged', 'findings']) - data__reference.keys()
        if data__reference__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.reference must contain ' + (str(sorted(data__reference__missing_keys)) + ' properties'))
        data__reference_keys = set(data__reference.keys())
        if 'images' in data__reference_keys:
            data__reference_keys.remove('images')
            data__reference__images = data__reference['images']
            if not isinstance(data__reference__images, int) or isinstance(data__reference__images, bool):
                raise InvalidError((name_prefix or 'data') + '.reference.images must be integer')
            if data__reference__images < 1:
                raise InvalidError((name_prefix or 'data') + '.reference.images must be bigger than or equal to 1')
        if 'design' in data__reference_keys:
            data__reference_keys.remove('design')
            data__reference__design = data__reference['design']
            if not isinstance(data__reference__design, (int, float)) or isinstance(data__reference__design, bool):
                raise InvalidError((name_prefix or 'data') + '.reference.design must be number')
            if data__reference__design < 1:
                raise InvalidError((name_prefix or 'data') + '.reference.design must be bigger than or equal to 1')
        if 'quantiles' in data__reference_keys:
            data__reference_keys.remove('quantiles')
            data__reference__quantiles = data__reference['quantiles']
            if not isinstance(data__reference__quantiles, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.reference.quantiles must be array')
            data__reference__quantiles_len = len(data__reference__quantiles)
            if data__reference__quantiles_len < 2:
                raise InvalidError((name_prefix or 'data') + '.reference.quantiles must contain at least 2 items')
            if data__reference__quantiles_len > 1001:
                raise InvalidError((name_prefix or 'data') + '.reference.quantiles must contain less than or equal to 1001 items')
            for data__reference__quantiles_x, data__reference__quantiles_item in enumerate(data__reference__quantiles):
                validate___definitions_share(data__reference__quantiles_item, custom_formats, (name_prefix or 'data') + f'.reference.quantiles[{data__reference__quantiles_x}]')
        if 'overall' in data__reference_keys:
            data__reference_keys.remove('overall')
            data__reference__overall = data__reference['overall']
            validate___definitions_expected(data__reference__overall, custom_formats, (name_prefix or 'data') + '.reference.overall')
        if 'flagged' in data__reference_keys:
            data__reference_keys.remove('flagged')
            data__reference__flagged = data__reference['flagged']
            validate___definitions_expected(data__reference__flagged, custom_formats, (name_prefix or 'data') + '.reference.flagged')
        if 'findings' in data__reference_keys:
            data__reference_keys.remove('findings')
            data__reference__findings = data__reference['findings']
            if not isinstance(data__reference__findings, dict):
                raise InvalidError((name_prefix or 'data') + '.reference.findings must be object')
            data__reference__findings_len = len(data__reference__findings)
            if data__reference__findings_len > 64:
                raise InvalidError((name_prefix or 'data') + '.reference.findings must contain less than or equal to 64 properties')
            data__reference__findings_keys = set(data__reference__findings.keys())
            for data__reference__findings_key in data__reference__findings_keys:
                if data__reference__findings_key not in []:
                    data__reference__findings_value = data__reference__findings.get(data__reference__findings_key)
                    validate___definitions_expected(data__reference__findings_value, custom_formats, (name_prefix or 'data') + f'.reference.findings.{data__reference__findings_key}')
        if data__reference_keys:
            raise InvalidError((name_prefix or 'data') + '.reference must not contain ' + str(data__reference_keys) + ' properties')
    if 'digest' in data_keys:
        data_keys.remove('digest')
        data__digest = data['digest']
        validate___definitions_sha256(data__digest, custom_formats, (name_prefix or 'data') + '.digest')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_expected(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['value', 'spread', 'effective']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'value' in data_keys:
        data_keys.remove('value')
        data__value = data['value']
        validate___definitions_share(data__value, custom_formats, (name_prefix or 'data') + '.value')
    if 'spread' in data_keys:
        data_keys.remove('spread')
        data__spread = data['spread']
        validate___definitions_share(data__spread, custom_formats, (name_prefix or 'data') + '.spread')
    if 'effective' in data_keys:
        data_keys.remove('effective')
        data__effective = data['effective']
        if not isinstance(data__effective, (int, float)) or isinstance(data__effective, bool):
            raise InvalidError((name_prefix or 'data') + '.effective must be number')
        if data__effective < 0:
            raise InvalidError((name_prefix or 'data') + '.effective must be bigger than or equal to 0')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_yield(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['flagged', 'found', 'false_alarms', 'missed']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'flagged' in data_keys:
        data_keys.remove('flagged')
        data__flagged = data['flagged']
        validate___definitions_estimate(data__flagged, custom_formats, (name_prefix or 'data') + '.flagged')
    if 'found' in data_keys:
        data_keys.remove('found')
        data__found = data['found']
        validate___definitions_estimate(data__found, custom_formats, (name_prefix or 'data') + '.found')
    if 'false_alarms' in data_keys:
        data_keys.remove('false_alarms')
        data__falsealarms = data['false_alarms']
        validate___definitions_estimate(data__falsealarms, custom_formats, (name_prefix or 'data') + '.false_alarms')
    if 'missed' in data_keys:
        data_keys.remove('missed')
        data__missed = data['missed']
        validate___definitions_estimate(data__missed, custom_formats, (name_prefix or 'data') + '.missed')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_share(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (int, float)) or isinstance(data, bool):
        raise InvalidError((name_prefix or 'data') + ' must be number')
    if data < 0:
        raise InvalidError((name_prefix or 'data') + ' must be bigger than or equal to 0')
    if data > 1:
        raise InvalidError((name_prefix or 'data') + ' must be smaller than or equal to 1')
    return data

def validate___definitions_shares(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (list, tuple)):
        raise InvalidError((name_prefix or 'data') + ' must be array')
    data_len = len(data)
    if data_len < 2:
        raise InvalidError((name_prefix or 'data') + ' must contain at least 2 items')
    if data_len > 1001:
        raise InvalidError((name_prefix or 'data') + ' must contain less than or equal to 1001 items')
    for data_x, data_item in enumerate(data):
        validate___definitions_share(data_item, custom_formats, (name_prefix or 'data') + f'[{data_x}]')
    return data

def validate___definitions_performance(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['threshold', 'sensitivity', 'specificity', 'ppv', 'npv', 'per_thousand']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'threshold' in data_keys:
        data_keys.remove('threshold')
        data__threshold = data['threshold']
        validate___definitions_share(data__threshold, custom_formats, (name_prefix or 'data') + '.threshold')
    if 'sensitivity' in data_keys:
        data_keys.remove('sensitivity')
        data__sensitivity = data['sensitivity']
        validate___definitions_estimate(data__sensitivity, custom_formats, (name_prefix or 'data') + '.sensitivity')
    if 'specificity' in data_keys:
        data_keys.remove('specificity')
        data__specificity = data['specificity']
        validate___definitions_estimate(data__specificity, custom_formats, (name_prefix or 'data') + '.specificity')
    if 'ppv' in data_keys:
        data_keys.remove('ppv')
        data__ppv = data['ppv']
        validate___definitions_estimate(data__ppv, custom_formats, (name_prefix or 'data') + '.ppv')
    if 'npv' in data_keys:
        data_keys.remove('npv')
        data__npv = data['npv']
        validate___definitions_estimate(data__npv, custom_formats, (name_prefix or 'data') + '.npv')
    if 'per_thousand' in data_keys:
        data_keys.remove('per_thousand')
        data__perthousand = data['per_thousand']
        validate___definitions_yield(data__perthousand, custom_formats, (name_prefix or 'data') + '.per_thousand')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_estimate(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['value', 'low', 'high']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'value' in data_keys:
        data_keys.remove('value')
        data__value = data['value']
        if not isinstance(data__value, (int, float, NoneType)) or isinstance(data__value, bool):
            raise InvalidError((name_prefix or 'data') + '.value must be number or null')
    if 'low' in data_keys:
        data_keys.remove('low')
        data__low = data['low']
        if not isinstance(data__low, (int, float, NoneType)) or isinstance(data__low, bool):
            raise InvalidError((name_prefix or 'data') + '.low must be number or null')
    if 'high' in data_keys:
        data_keys.remove('high')
        data__high = data['high']
        if not isinstance(data__high, (int, float, NoneType)) or isinstance(data__high, bool):
            raise InvalidError((name_prefix or 'data') + '.high must be number or null')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_counts(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['images', 'patients']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'images' in data_keys:
        data_keys.remove('images')
        data__images = data['images']
        if not isinstance(data__images, int) or isinstance(data__images, bool):
            raise InvalidError((name_prefix or 'data') + '.images must be integer')
        if data__images < 0:
            raise InvalidError((name_prefix or 'data') + '.images must be bigger than or equal to 0')
    if 'patients' in data_keys:
        data_keys.remove('patients')
        data__patients = data['patients']
        if not isinstance(data__patients, int) or isinstance(data__patients, bool):
            raise InvalidError((name_prefix or 'data') + '.patients must be integer')
        if data__patients < 0:
            raise InvalidError((name_prefix or 'data') + '.patients must be bigger than or equal to 0')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_sha256(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, str):
        raise InvalidError((name_prefix or 'data') + ' must be string')
    if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data):
        raise InvalidError((name_prefix or 'data') + ' must match pattern ^[0-9a-f]{64}$')
    return data
